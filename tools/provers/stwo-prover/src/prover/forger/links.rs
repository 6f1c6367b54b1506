//! Which sums stand in one equation: those of a group by itself, or those of both ends of a link, be they of one block or of
//! two.

use lindero_package::{Bundle, End};
use num_traits::Zero;
use stwo::core::fields::qm31::SecureField;

/// What else is in a group's equation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Partner {
    Nothing,
    /// Another group of the same block.
    Here(usize),
    Of {
        block: usize,
        group: usize,
    },
    /// There is no equation: what the last step leaves is read by nobody.
    Unread,
}

/// The equations of a block's groups.
pub struct Equations {
    block: usize,
    partners: Vec<Partner>,
}

impl Equations {
    /// `blocks` are those of all steps.
    pub fn new(bundle: &Bundle, block: usize, blocks: usize) -> Self {
        let (members, groups) =
            (bundle.members.len(), |member: usize| bundle.members[member].circuit.sum_groups.len());
        let (step, member, steps) = (block / members, block % members, blocks / members);
        let mut partners = vec![Partner::Nothing; groups(member)];
        for ends in &bundle.links {
            for (at, own) in ends.iter().enumerate().filter(|(_, end)| end.member == member) {
                let other: End = ends[1 - at];
                // The step that the equation is of.
                let of = step + own.before as usize;
                partners[own.group] = match (of < steps, of.checked_sub(other.before as usize)) {
                    (false, _) => Partner::Unread,
                    (true, None) => Partner::Nothing,
                    (true, Some(step)) => match step * members + other.member {
                        other_block if other_block == block => Partner::Here(other.group),
                        other_block => Partner::Of { block: other_block, group: other.group },
                    },
                };
            }
        }
        Equations { block, partners }
    }

    /// Whether the equation is complete with a later block.
    pub fn is_left(&self, group: usize) -> bool {
        matches!(self.partners[group], Partner::Of { block, .. } if block > self.block)
    }

    /// Whether it is complete with this block.
    pub fn is_decided(&self, group: usize) -> bool {
        self.partners[group] != Partner::Unread && !self.is_left(group)
    }

    pub fn is_linked(&self, group: usize) -> bool {
        matches!(self.partners[group], Partner::Here(_) | Partner::Of { .. })
    }

    /// Per group, the sum of the other end in another block, of which `sums` has those of each group.
    pub fn others(&self, sums: &[Vec<SecureField>]) -> Vec<SecureField> {
        let other = |partner: &Partner| match *partner {
            Partner::Of { block, group } => sums[block][group],
            Partner::Nothing | Partner::Here(_) | Partner::Unread => SecureField::zero(),
        };
        self.partners.iter().map(other).collect()
    }

    /// Of sums per group, for each of them what its equation has of this block.
    pub fn of_block(&self, sums: &[SecureField]) -> Vec<SecureField> {
        let whole = |(group, partner): (usize, &Partner)| match *partner {
            Partner::Here(other) => sums[group] + sums[other],
            Partner::Unread => SecureField::zero(),
            Partner::Nothing | Partner::Of { .. } => sums[group],
        };
        self.partners.iter().enumerate().map(whole).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lindero_testkit::samples;

    #[test]
    fn a_link_is_one_equation_of_two_blocks() {
        let bundle = samples::network_steps(1, 2).decode_bundle();
        let circuit = |member: usize| &bundle.members[member].circuit;
        let at = |block| Equations::new(&bundle, block, 6);
        let group = |member: usize, name: &str| {
            circuit(member).sum_groups.iter().position(|group| group.name == name).unwrap()
        };
        let (edge, taken, left) = (group(1, "edge"), group(1, "taken"), group(1, "left"));
        assert!(at(0).is_left(group(0, "edge")) && at(1).is_decided(edge) && at(1).is_linked(edge));
        // Nothing comes before the first step, and nobody reads what the last one leaves.
        assert!(at(1).is_decided(taken) && !at(1).is_linked(taken) && at(1).is_left(left));
        assert!(at(4).is_decided(taken) && at(4).is_linked(taken));
        assert!(!at(4).is_decided(left) && !at(4).is_left(left));
        let number = |value: usize| SecureField::from(value as u32);
        let sums: Vec<Vec<SecureField>> = (0..6)
            .map(|block| (0..circuit(block % 3).sum_groups.len()).map(|g| number(10 * block + g)).collect())
            .collect();
        assert_eq!(at(4).others(&sums)[taken], number(10 + left));
        assert_eq!(at(4).others(&sums)[edge], number(30 + group(0, "edge")));
        assert_eq!(at(4).of_block(&sums[4])[left], SecureField::zero());
    }
}
