//! What bits of security count on.

use lindero_package::{proto, Error};

/// What the list-decoding regime rests on.
pub const CONJECTURE: &str = "a conjecture: up to the Elias radius over the base field, 1 - rho - h(rho) / 31, a point drawn out of domain \
    leaves one codeword, and of the points of a line or curve no more are near the code than the domain has, times the \
    degree, unless all are";

/// What bits of security count on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Regime {
    Proven,
    ListDecoding,
    /// For information: no key promises it.
    BestKnownAttack,
}

impl Regime {
    pub const ALL: [Regime; 3] = [Regime::Proven, Regime::ListDecoding, Regime::BestKnownAttack];

    pub fn name(self) -> &'static str {
        match self {
            Regime::Proven => "proven",
            Regime::ListDecoding => "list-decoding",
            Regime::BestKnownAttack => "best known attack",
        }
    }

    /// A regime that can be promised.
    pub fn parse(name: &str) -> Result<Self, Error> {
        match name {
            "proven" => Ok(Regime::Proven),
            "list-decoding" => Ok(Regime::ListDecoding),
            "conjectured" => Err(Error::new(
                "the regime \"conjectured\" is gone, the conjecture it stood on is refuted: \"proven\" counts what is \
                 proven, \"list-decoding\" on the conjecture that is left",
            )),
            _ => Err(Error::new(format!("the regimes are \"proven\" and \"list-decoding\", not {name:?}"))),
        }
    }
}

impl TryFrom<i32> for Regime {
    type Error = Error;

    fn try_from(value: i32) -> Result<Self, Error> {
        match proto::security_target::Regime::try_from(value) {
            Ok(proto::security_target::Regime::Proven) => Ok(Regime::Proven),
            Ok(proto::security_target::Regime::ListDecoding) => Ok(Regime::ListDecoding),
            Ok(proto::security_target::Regime::None) | Err(_) => Err(Error::new(format!(
                "the key names no regime that this version knows ({value}): proven or list-decoding"
            ))),
        }
    }
}

impl From<Regime> for i32 {
    fn from(regime: Regime) -> i32 {
        match regime {
            Regime::Proven => proto::security_target::Regime::Proven as i32,
            Regime::ListDecoding => proto::security_target::Regime::ListDecoding as i32,
            Regime::BestKnownAttack => proto::security_target::Regime::None as i32,
        }
    }
}
