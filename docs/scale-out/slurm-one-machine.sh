#!/usr/bin/env bash
# Slurm on this one machine, to try a recipe: munge, slurmctld and slurmd, started as root, no service manager.
#
#   docs/scale-out/slurm-one-machine.sh start FOLDER     prints the variable that the commands of Slurm need
#   docs/scale-out/slurm-one-machine.sh stop FOLDER
#
# Debian's packages: slurm-wlm and munge. Everything it writes lies in FOLDER, but munge's key and socket.
set -euo pipefail

verb="$1"
mkdir -p "$2"
folder="$(cd "$2" && pwd)"
export SLURM_CONF="$folder/slurm.conf"

fail() {
    echo "slurm-one-machine: $1" >&2
    for log in slurmctld.log slurmd.log; do
        [ ! -f "$folder/$log" ] || { echo "--- $log" >&2 && tail -n 15 "$folder/$log" >&2; }
    done
    exit 1
}

# Waits for a command to succeed, half a minute at most.
wait_for() {
    for _ in $(seq 60); do
        if "$@" >/dev/null 2>&1; then return 0; fi
        sleep 0.5
    done
    return 1
}

write_configuration() {
    mkdir -p "$folder/state" "$folder/spool"
    cat >"$SLURM_CONF" <<CONF
ClusterName=one
SlurmctldHost=$(hostname -s)(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
CredType=cred/munge
SlurmctldPort=16817
SlurmdPort=16818
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd.pid
SlurmctldLogFile=$folder/slurmctld.log
SlurmdLogFile=$folder/slurmd.log
ProctrackType=proctrack/pgid
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
ReturnToService=2
SchedulerParameters=sched_interval=1
NodeName=$(hostname -s) NodeAddr=127.0.0.1 CPUs=$(nproc) State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
CONF
}

start_munge() {
    if munge -n >/dev/null 2>&1; then return 0; fi
    mkdir -p /run/munge /var/log/munge /var/lib/munge /etc/munge
    if [ ! -s /etc/munge/munge.key ]; then
        (umask 077 && head -c 1024 /dev/urandom >/etc/munge/munge.key)
    fi
    chown -R munge:munge /run/munge /var/log/munge /var/lib/munge /etc/munge
    chmod 0755 /run/munge
    su -s /bin/sh munge -c /usr/sbin/munged || fail "munged does not start"
    touch "$folder/munged.ours"
    wait_for munge -n || fail "munge gives no credentials"
}

case "$verb" in
    start)
        [ "$(id -u)" = 0 ] || fail "it has to be root: expected to be started so"
        write_configuration
        start_munge
        slurmctld || fail "slurmctld does not start"
        wait_for scontrol ping || fail "slurmctld gives no answer"
        slurmd || fail "slurmd does not start"
        idle() { sinfo --noheader --format=%t | grep -qx idle; }
        wait_for idle || fail "the node is not idle after half a minute"
        echo "export SLURM_CONF=$SLURM_CONF"
        ;;
    stop)
        for daemon in slurmd slurmctld; do
            [ ! -f "$folder/$daemon.pid" ] || kill "$(cat "$folder/$daemon.pid")" 2>/dev/null || true
        done
        if [ -f "$folder/munged.ours" ] && [ -f /run/munge/munged.pid ]; then
            kill "$(cat /run/munge/munged.pid)" 2>/dev/null || true
        fi
        ;;
    *) fail "expected start or stop, not $verb" ;;
esac
