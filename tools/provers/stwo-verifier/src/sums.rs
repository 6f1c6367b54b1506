//! The sums that link tables with each other and with the public values.

use lindero_package::{proto, Bundle, Circuit, End, Error, Stated};
use num_traits::Zero;
use stwo::core::fields::batch_inverse;
use stwo::core::fields::m31::{BaseField, P};
use stwo::core::fields::qm31::SecureField;

/// Per group, the sum of a block's claimed sums and of its public tensors' terms. Takes time linear in the public values.
/// `fingerprints` are the terms of the tensors that the claim gives by digest, in the circuit's order: each must be that of its
/// values where it was opened, and is taken as it is where not.
pub fn sums(
    circuit: &Circuit,
    stated: Stated,
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
        let values = stated.values(index);
        let own = values.map(|values| public_term(tensor, values, challenges)).transpose()?;
        let published = if stated.by_digest(index) { fingerprints.next().copied() } else { None };
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

/// Requires that the sums are zero that the last of these blocks completes. `sums` has those of the members of a step, as far as
/// they are known, `before` those of the step before, and nothing in the first one. Groups that no link names sum to zero by
/// themselves; a link is complete with the last member that is an end of it in the step itself.
pub fn check_sums(
    bundle: &Bundle,
    before: Option<&[Vec<SecureField>]>,
    sums: &[Vec<SecureField>],
) -> Result<(), Error> {
    let Some(last) = sums.len().checked_sub(1) else { return Ok(()) };
    let member = &bundle.members[last];
    let mut rests = sums[last].clone();
    for &group in &member.linked {
        rests[group] = SecureField::zero();
    }
    if let Some(group) = rests.iter().position(|rest| !rest.is_zero()) {
        return Err(Error::new(format!(
            "the claimed sums of group {} do not cancel: the tables and the public values disagree",
            member.circuit.sum_groups[group].name
        )));
    }
    for &index in &member.completes {
        let ends = &bundle.links[index];
        let value = |end: &End| match (end.before, before) {
            (false, _) => sums[end.member][end.group],
            (true, Some(before)) => before[end.member][end.group],
            (true, None) => SecureField::zero(),
        };
        if !ends.iter().map(value).sum::<SecureField>().is_zero() {
            return Err(Error::new(format!("link {index}: {} do not cancel", describe(bundle, ends))));
        }
    }
    Ok(())
}

fn describe(bundle: &Bundle, ends: &[End]) -> String {
    let one = |end: &End| {
        let member = &bundle.members[end.member];
        let group = &member.circuit.sum_groups[end.group].name;
        let of =
            if bundle.members.len() == 1 { String::new() } else { format!(" of member {}", member.name) };
        format!("group {group}{of}{}", if end.before { " in the step before" } else { "" })
    };
    format!("the claimed sums of {}", ends.iter().map(one).collect::<Vec<_>>().join(", "))
}

/// The terms of a block's tensors that the claim gives by digest, in the circuit's order. Their values must be known.
pub fn fingerprints(
    circuit: &Circuit,
    stated: Stated,
    challenges: &[SecureField],
) -> Result<Vec<SecureField>, Error> {
    let tensors = circuit.publics.iter().enumerate().filter(|&(index, _)| stated.by_digest(index));
    tensors
        .map(|(index, tensor)| match stated.values(index) {
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
