//! The rules of public tensors, F17 and F18.

use crate::circuit::Circuit;
use crate::error::Error;
use crate::format_rules::{obey, Rule};
use crate::proto;

const MAX_PUBLIC_VALUES: u64 = 1 << 28;

/// In a group, two public tensors under the same challenges have different addresses: else a value could be moved
/// from one to the other.
pub(crate) fn public_addresses(circuit: &Circuit) -> Result<(), Error> {
    let mut ranges: Vec<_> = circuit
        .publics
        .iter()
        .map(|tensor| {
            let challenges = [tensor.address_challenge, tensor.row_challenge, tensor.column_challenge];
            ((tensor.group, challenges), tensor.address, tensor.address as u64 + tiles(tensor), &tensor.name)
        })
        .collect();
    ranges.sort();
    for pair in ranges.windows(2) {
        obey!(
            Addresses,
            pair[0].0 != pair[1].0 || pair[0].2 <= pair[1].1 as u64,
            "public tensors {} and {} share addresses",
            pair[0].3,
            pair[1].3
        );
    }
    Ok(())
}

fn tiles(tensor: &proto::PublicTensor) -> u64 {
    tensor.rows.div_ceil(tensor.tile_rows) as u64 * tensor.columns.div_ceil(tensor.tile_columns) as u64
}

pub(crate) fn public_tensor(circuit: &Circuit, tensor: &proto::PublicTensor) -> Result<(), Error> {
    proto::public_tensor::Kind::try_from(tensor.kind)
        .map_err(|_| Error::of(Rule::Encoding, "is of unknown kind"))?;
    obey!(Publics, (tensor.group as usize) < circuit.sum_groups.len(), "is of no group");
    for challenge in [tensor.address_challenge, tensor.row_challenge, tensor.column_challenge] {
        obey!(
            Publics,
            (challenge as usize) < circuit.challenges.len(),
            "uses a challenge that does not exist"
        );
    }
    let modulus = circuit.modulus as i64;
    obey!(
        Publics,
        tensor.low <= tensor.high
            && -modulus < 2 * tensor.low.max(-modulus)
            && tensor.high.min(modulus) * 2 < modulus,
        "range [{}, {}] is empty or does not fit the field",
        tensor.low,
        tensor.high
    );
    obey!(Publics, tensor.rows > 0 && tensor.columns > 0, "is empty");
    obey!(
        Publics,
        tensor.rows as u64 * tensor.columns as u64 <= MAX_PUBLIC_VALUES,
        "has more than {MAX_PUBLIC_VALUES} values"
    );
    obey!(Publics, tensor.tile_rows > 0 && tensor.tile_columns > 0, "has empty tiles");
    let tiles = tiles(tensor);
    let rows_and_columns = tensor.tile_rows.max(tensor.tile_columns);
    obey!(
        Publics,
        tiles <= modulus as u64
            && tensor.address as u64 + tiles <= modulus as u64
            && rows_and_columns as i64 <= modulus,
        "has addresses that do not fit the field"
    );
    Ok(())
}
