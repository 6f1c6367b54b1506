use std::fmt;

use crate::format_rules::Rule;

/// What is wrong, where, and what to do: one line for the user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error(String);

impl Error {
    pub fn new(message: impl Into<String>) -> Self {
        Error(message.into())
    }

    /// That a file breaks a rule of its format.
    pub fn of(rule: Rule, message: impl fmt::Display) -> Self {
        Error(format!("{rule}: {message}"))
    }

    /// Puts `place` before the message.
    pub fn within(self, place: impl fmt::Display) -> Self {
        Error(format!("{place}: {}", self.0))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Error {}

/// Returns an [`Error`] with a formatted message unless the condition holds.
macro_rules! ensure {
    ($condition:expr, $($message:tt)+) => {
        if !$condition {
            return Err(crate::error::Error::new(format!($($message)+)));
        }
    };
}
pub(crate) use ensure;
