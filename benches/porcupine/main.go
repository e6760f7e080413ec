// Judges histories in squall's own lines with Porcupine, one row of a Markdown table per file.
//
// Usage: porcupine-compare [-seconds N] FILE...; a file's name begins with its model: register, kv, cas or queue.
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/anishathalye/porcupine"
)

// A line of a history: a call, its answer, and when they were.
type line struct {
	Process  int             `json:"p"`
	Call     int64           `json:"call"`
	Return   int64           `json:"ret"`
	Function string          `json:"f"`
	Key      string          `json:"k"`
	Value    json.RawMessage `json:"v"`
	Out      json.RawMessage `json:"out"`
}

type input struct {
	function, key, value, next string
}

type output struct {
	known bool
	value string
}

func read(path string) ([]porcupine.Operation, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	var operations []porcupine.Operation
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	for number := 1; lines.Scan(); number++ {
		var l line
		if err := json.Unmarshal(lines.Bytes(), &l); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", path, number, err)
		}
		in := input{function: l.Function, key: l.Key, value: string(l.Value)}
		if l.Function == "cas" {
			var pair []json.RawMessage
			if err := json.Unmarshal(l.Value, &pair); err != nil || len(pair) != 2 {
				return nil, fmt.Errorf("%s:%d: a cas needs the old and the new value", path, number)
			}
			in.value, in.next = string(pair[0]), string(pair[1])
		}
		out := output{known: l.Return >= 0, value: string(l.Out)}
		if l.Return < 0 {
			l.Return = math.MaxInt64
		}
		operations = append(operations,
			porcupine.Operation{ClientId: l.Process, Input: in, Call: l.Call, Output: out, Return: l.Return})
	}
	return operations, lines.Err()
}

func byKey(history []porcupine.Operation) [][]porcupine.Operation {
	parts := map[string][]porcupine.Operation{}
	for _, operation := range history {
		key := operation.Input.(input).key
		parts[key] = append(parts[key], operation)
	}
	var all [][]porcupine.Operation
	for _, part := range parts {
		all = append(all, part)
	}
	return all
}

var register = porcupine.Model{
	Partition: byKey,
	Init:      func() interface{} { return "null" },
	Step: func(state, in, out interface{}) (bool, interface{}) {
		now, i, o := state.(string), in.(input), out.(output)
		switch i.function {
		case "read":
			return !o.known || o.value == now, now
		case "write":
			return true, i.value
		default:
			swapped := now == i.value
			next := now
			if swapped {
				next = i.next
			}
			return !o.known || o.value == fmt.Sprint(swapped), next
		}
	},
}

var queue = porcupine.Model{
	Init: func() interface{} { return "" },
	Step: func(state, in, out interface{}) (bool, interface{}) {
		now, i, o := state.(string), in.(input), out.(output)
		if i.function == "enqueue" {
			return true, now + i.value + " "
		}
		first, rest, some := strings.Cut(now, " ")
		if !some {
			return !o.known || o.value == "null", now
		}
		return !o.known || o.value == first, rest
	},
}

func main() {
	seconds := flag.Int("seconds", 60, "give a history up after so many seconds")
	flag.Parse()
	fmt.Println("| history | verdict | ms | peak of the process, MB |")
	fmt.Println("|---|---|---|---|")
	for _, path := range flag.Args() {
		name := strings.TrimSuffix(filepath.Base(path), ".jsonl")
		model := register
		if strings.HasPrefix(name, "queue") {
			model = queue
		}
		history, err := read(path)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(2)
		}
		begin := time.Now()
		verdict := porcupine.CheckOperationsTimeout(model, history, time.Duration(*seconds)*time.Second)
		took := time.Since(begin)
		said := map[porcupine.CheckResult]string{porcupine.Ok: "holds", porcupine.Illegal: "violated"}[verdict]
		if said == "" {
			said = "no answer"
		}
		var usage syscall.Rusage
		_ = syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
		fmt.Printf("| %s | %s | %d | %d |\n", name, said, took.Milliseconds(), usage.Maxrss/1024)
	}
}
