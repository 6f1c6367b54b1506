//! The sums that link tables with each other and with the public values.

use lindero_package::{proto, Circuit, Error, Statement};
use num_traits::Zero;
use stwo::core::fields::batch_inverse;
use stwo::core::fields::m31::{BaseField, P};
use stwo::core::fields::qm31::SecureField;

/// Per group, the sum of a block's claimed sums and of its public tensors' terms. Takes time linear in the public values.
/// `fingerprints` are the terms of the tensors that the claim gives by digest, in the circuit's order: each must be that of its
/// values where it was opened, and is taken as it is where not.
pub fn sums(
    circuit: &Circuit,
    statement: &Statement,
    block: usize,
    challenges: &[SecureField],
    claimed_sums: &[SecureField],
    fingerprints: &[SecureField],
) -> Result<Vec<SecureField>, Error> {
    let mut sums = vec![SecureField::zero(); circuit.sum_groups.len()];
    for (claimed_sum, &value) in circuit.claimed_sums.iter().zip(claimed_sums) {
        sums[claimed_sum.group as usize] += value;
    }
    let mut fingerprints = fingerprints.iter();
    for (index, tensor) in circuit.publics.iter().enumerate() {
        let values = statement.values_of_block(index, block);
        let own = values.map(|values| public_term(tensor, values, challenges)).transpose()?;
        let published = if statement.by_digest(index) { fingerprints.next().copied() } else { None };
        let term = match (own, published) {
            (Some(own), Some(published)) if own != published => {
                return Err(Error::new(format!(
                    "the fingerprint of {:?} is not that of its values",
                    tensor.name
                )));
            }
            (own, published) => own.or(published).ok_or_else(|| Error::new("a fingerprint is missing"))?,
        };
        sums[tensor.group as usize] += if tensor.negative { -term } else { term };
    }
    Ok(sums)
}

/// Requires that a block's sums are zero, each by itself, or, for what it takes from the block before, with that block's. What
/// it leaves is the next one's to check.
pub fn check_sums(
    circuit: &Circuit,
    before: Option<&[SecureField]>,
    sums: &[SecureField],
) -> Result<(), Error> {
    let mut rests = sums.to_vec();
    for link in &circuit.links {
        rests[link.r#in as usize] += before.map_or(SecureField::zero(), |before| before[link.out as usize]);
        rests[link.out as usize] = SecureField::zero();
    }
    let Some(group) = rests.iter().position(|rest| !rest.is_zero()) else { return Ok(()) };
    let name = &circuit.sum_groups[group].name;
    Err(Error::new(if circuit.links.iter().any(|link| link.r#in as usize == group) {
        format!("the claimed sums of group {name} are not of what the block before leaves")
    } else {
        format!("the claimed sums of group {name} do not cancel: the tables and the public values disagree")
    }))
}

/// The terms of a block's tensors that the claim gives by digest, in the circuit's order. Their values must be known.
pub fn fingerprints(
    circuit: &Circuit,
    statement: &Statement,
    block: usize,
    challenges: &[SecureField],
) -> Result<Vec<SecureField>, Error> {
    let tensors = circuit.publics.iter().enumerate().filter(|&(index, _)| statement.by_digest(index));
    tensors
        .map(|(index, tensor)| match statement.values_of_block(index, block) {
            Some(values) => public_term(tensor, values, challenges),
            None => Err(Error::new(format!("the values of {:?} are missing: an opening", tensor.name))),
        })
        .collect()
}

/// `sum_ij v_ij / ((za - a_ij) * (zr - i % tile_rows) * (zc - j % tile_columns))`
fn public_term(
    tensor: &proto::PublicTensor,
    values: &[i64],
    challenges: &[SecureField],
) -> Result<SecureField, Error> {
    let (rows, columns) = (tensor.rows as usize, tensor.columns as usize);
    let (tile_rows, tile_columns) = (tensor.tile_rows as usize, tensor.tile_columns as usize);
    let tiles_across = columns.div_ceil(tile_columns);
    let tiles = rows.div_ceil(tile_rows) * tiles_across;
    let at_address = poles(challenges[tensor.address_challenge as usize], tensor.address, tiles)?;
    let at_row = poles(challenges[tensor.row_challenge as usize], 0, tile_rows.min(rows))?;
    let at_column = poles(challenges[tensor.column_challenge as usize], 0, tile_columns.min(columns))?;
    let mut term = SecureField::zero();
    for (i, row) in values.chunks_exact(columns).enumerate() {
        let mut row_term = SecureField::zero();
        for (tile, lanes) in row.chunks(tile_columns).enumerate() {
            let in_tile: SecureField =
                lanes.iter().zip(&at_column).map(|(&v, &pole)| pole * residue(v)).sum();
            row_term += in_tile * at_address[(i / tile_rows) * tiles_across + tile];
        }
        term += row_term * at_row[i % tile_rows];
    }
    Ok(term)
}

/// `1 / (z - (first + i))` for `i < count`.
fn poles(z: SecureField, first: u32, count: usize) -> Result<Vec<SecureField>, Error> {
    let differences: Vec<_> =
        (0..count as u32).map(|i| z - SecureField::from(BaseField::from_u32_unchecked(first + i))).collect();
    if differences.iter().any(|difference| difference.is_zero()) {
        return Err(Error::new("a challenge fell on an address"));
    }
    Ok(batch_inverse(&differences))
}

fn residue(value: i64) -> BaseField {
    BaseField::from_u32_unchecked(value.rem_euclid(P as i64) as u32)
}
