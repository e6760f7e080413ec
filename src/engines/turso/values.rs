//! Parameters on the way in, cells on the way out.

use std::num::NonZero;

use turso_core::{LimboError, Numeric, Row, Statement, Value};

use crate::engine::sql::{Param, SqlValue};

/// Binds all parameters of a statement.
pub(super) fn bind(statement: &mut Statement, params: &[Param]) -> Result<(), LimboError> {
    for (at, param) in (1..).zip(params) {
        let value = match param.value() {
            SqlValue::Null => Value::Null,
            SqlValue::Int(number) => Value::from_i64(number),
            SqlValue::Real(number) => Value::from_f64(number),
            SqlValue::Text(text) => Value::from_text(text),
            SqlValue::Blob(bytes) => Value::from_blob(bytes),
        };
        statement.bind_at(NonZero::new(at).expect("counted from 1"), value)?;
    }
    Ok(())
}

/// The cells of a row.
pub(super) fn cells(row: &Row) -> Vec<SqlValue> {
    let cell = |value: &Value| match value {
        Value::Null => SqlValue::Null,
        Value::Numeric(Numeric::Integer(number)) => SqlValue::Int(*number),
        Value::Numeric(Numeric::Float(number)) => SqlValue::Real(f64::from(*number)),
        Value::Text(text) => SqlValue::Text(text.as_str().to_string()),
        Value::Blob(bytes) => SqlValue::Blob(bytes.clone()),
    };
    row.get_values().map(cell).collect()
}
