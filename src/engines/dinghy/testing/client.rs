//! A client that asks for anything, and notes what it was told.

use std::collections::VecDeque;

use super::Setup;
use super::model::{Model, Record};
use crate::aio::Completion;
use crate::engine::kv::{Key, KvOp, KvValue, Value};
use crate::engine::{Connection, Reply};
use crate::engines::dinghy::DinghyConnection;
use crate::history::ValueId;
use crate::tape::Stream;

pub(super) struct Client {
    pub connection: DinghyConnection,
    number: u16,
    transactions: u32,
    ops: u16,
    pub queue: VecDeque<KvOp>,
    pub running: Option<KvOp>,
    pub waiting: Option<Completion>,
    pub record: Record,
}

impl Client {
    /// A client whose transactions are numbered from `transactions` on.
    pub(super) fn new(connection: DinghyConnection, number: u16, transactions: u32) -> Self {
        let (queue, record) = (VecDeque::new(), Record::default());
        Self { connection, number, transactions, ops: 0, queue, running: None, waiting: None, record }
    }

    pub(super) fn is_busy(&self) -> bool {
        self.running.is_some() || !self.queue.is_empty()
    }

    pub(super) fn is_enabled(&self, more: bool) -> bool {
        (more || self.is_busy()) && self.waiting.as_ref().is_none_or(Completion::finished)
    }

    pub(super) fn start(&mut self, setup: &Setup, random: &mut Stream, acknowledged: u64) {
        if self.queue.is_empty() {
            self.plan(setup, random);
        }
        let op = self.queue.pop_front().expect("just planned");
        if !self.record.open {
            self.record = Record { lower: acknowledged, open: op == KvOp::Begin, ..Record::default() };
        }
        self.record.asked = Some(op.clone());
        self.connection.start(&op);
        self.running = Some(op);
        self.waiting = None;
    }

    fn plan(&mut self, setup: &Setup, random: &mut Stream) {
        self.transactions += 1;
        if random.below(100) >= setup.transactions_percent {
            let op = match random.below(20) {
                0 => KvOp::Checkpoint,
                1 => KvOp::Vacuum,
                _ => self.op(setup, random),
            };
            return self.queue.push_back(op);
        }
        self.queue.push_back(KvOp::Begin);
        for _ in 0..random.below(5) {
            let op = self.op(setup, random);
            self.queue.push_back(op);
        }
        self.queue.push_back(if random.below(8) == 0 { KvOp::Rollback } else { KvOp::Commit });
    }

    fn op(&mut self, setup: &Setup, random: &mut Stream) -> KvOp {
        self.ops += 1;
        let id = ValueId { connection: self.number, transaction: self.transactions, op: self.ops };
        let long = random.below(6) == 0;
        let len = random.below(if long { setup.value_bytes * 20 } else { setup.value_bytes } + 1) as u32;
        let value = Value { id, len };
        let nth = random.below(setup.keys);
        let key: Key = format!("k{nth:03}{}", "x".repeat((nth % 7) as usize * 8)).into();
        match random.below(12) {
            0..3 => KvOp::Put(key, value),
            3 | 4 => KvOp::Delete(key),
            5 => KvOp::Cas { key, expected: None, new: value },
            6 => KvOp::Add(format!("n{}", nth % 3).into(), 1),
            7 => KvOp::Append(format!("l{}", nth % 3).into(), value),
            8 => KvOp::Pop(format!("l{}", nth % 3).into()),
            9 => KvOp::Scan(key, "k~".into()),
            _ => KvOp::Get(key),
        }
    }

    pub(super) fn answered(&mut self, reply: Reply<KvValue>, model: &mut Model) -> Result<(), String> {
        let op = self.running.take().expect("it was running");
        self.record.asked = None;
        let ends = !self.record.open || matches!(op, KvOp::Commit | KvOp::Rollback);
        match reply {
            Reply::Ok(value) => {
                if op == KvOp::Checkpoint {
                    model.checkpointed = model.checkpointed.max(self.record.lower);
                }
                self.record.answers.push((op, value));
            }
            Reply::Committed(value, order) => {
                self.record.answers.push((op, value));
                model.acknowledged = model.acknowledged.max(order);
                let known = model.committed.insert(order, std::mem::take(&mut self.record));
                return if known.is_some() { Err(format!("two commits have place {order}")) } else { Ok(()) };
            }
            Reply::Refused(_) if !ends => {
                self.queue.clear();
                self.queue.push_back(KvOp::Rollback);
            }
            Reply::Refused(_) => {}
            Reply::Unknown(_) => {
                self.record.asked = Some(op);
                model.doubtful.push(std::mem::take(&mut self.record));
                self.queue.clear();
                return Ok(());
            }
        }
        if ends {
            model.others.push(std::mem::take(&mut self.record));
        }
        Ok(())
    }
}
