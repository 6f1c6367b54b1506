//! The rules of FORMAT.md, section 9, by their numbers: every refusal of a file names one, or one of section 10 (R0 to R7).

use std::fmt;

/// In the order of the numbers, from F1 on. Those of programs and of the runtime's statements, F28 to F33, are for runtimes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    Encoding = 1,
    Limits,
    Names,
    Columns,
    Phases,
    Instances,
    Segments,
    Nodes,
    OneTable,
    Inverses,
    Degree,
    Known,
    Cycles,
    Scans,
    Gathers,
    ClaimedSums,
    Publics,
    Addresses,
    Exports,
    Lookups,
    Providers,
    Witness,
    TotalDegree,
    ZeroInverses,
    Fractions,
    Work,
    ColumnFiles,
    Members = 34,
    Links,
    Steps,
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "F{}", *self as u32)
    }
}

/// Returns an error that names the rule, with a formatted message, unless the condition holds.
macro_rules! obey {
    ($rule:ident, $condition:expr, $($message:tt)+) => {
        if !$condition {
            let rule = crate::format_rules::Rule::$rule;
            return Err(crate::error::Error::of(rule, format!($($message)+)));
        }
    };
}
pub(crate) use obey;
