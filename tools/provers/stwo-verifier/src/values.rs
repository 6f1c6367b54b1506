//! Evaluation of nodes, one value at a time.

use lindero_package::{Circuit, Error, Node, NodeId, Scope};
use num_traits::Zero;
use stwo::core::fields::m31::BaseField;
use stwo::core::fields::qm31::SecureField;
use stwo::core::fields::FieldExpOps;

/// The nodes that are the same on all rows, by node; zero elsewhere. Only those that are known in `phase` are
/// computed (4: all), and only the challenges and claimed sums that they read need to be there.
pub fn uniform_values(
    circuit: &Circuit,
    challenges: &[SecureField],
    claimed_sums: &[SecureField],
    phase: usize,
) -> Result<Vec<SecureField>, Error> {
    let mut values = vec![SecureField::zero(); circuit.nodes.len()];
    for (index, &node) in circuit.nodes.iter().enumerate() {
        let facts = circuit.facts[index];
        if facts.scope != Scope::Uniform || facts.ready > phase {
            continue;
        }
        values[index] = match node {
            Node::Challenge(challenge) => challenges[challenge],
            Node::ClaimedSum(claimed_sum) => claimed_sums[claimed_sum],
            Node::Inverse(a) if values[a as usize].is_zero() => {
                return Err(Error::new(format!("node {index} inverts zero")));
            }
            _ => combine(node, |id| values[id as usize]),
        };
    }
    Ok(values)
}

/// The values of a table's nodes, beside those of the uniform ones.
pub struct Values<'a> {
    circuit: &'a Circuit,
    uniform: &'a [SecureField],
    /// Ascending; of [`crate::Layout`].
    schedule: &'a [NodeId],
    /// Of the first nodes of the schedule.
    values: Vec<SecureField>,
}

impl<'a> Values<'a> {
    /// `leaf` gives columns and selectors.
    pub fn read(
        circuit: &'a Circuit,
        uniform: &'a [SecureField],
        schedule: &'a [NodeId],
        mut leaf: impl FnMut(Node) -> SecureField,
    ) -> Self {
        let mut all = Values { circuit, uniform, schedule, values: Vec::with_capacity(schedule.len()) };
        for &id in schedule {
            let node = circuit.nodes[id as usize];
            let value = match node {
                Node::Column { .. } | Node::IsFirst | Node::IsLast => leaf(node),
                _ => combine(node, |id| all.of(id)),
            };
            all.values.push(value);
        }
        all
    }

    pub fn of(&self, node: NodeId) -> SecureField {
        if self.circuit.facts(node).scope == Scope::Uniform {
            return self.uniform[node as usize];
        }
        self.values[self.schedule.binary_search(&node).expect("the schedule has what is asked for")]
    }
}

fn combine(node: Node, value: impl Fn(NodeId) -> SecureField) -> SecureField {
    match node {
        Node::Constant(constant) => BaseField::from_u32_unchecked(constant).into(),
        Node::Add(a, b) => value(a) + value(b),
        Node::Sub(a, b) => value(a) - value(b),
        Node::Mul(a, b) => value(a) * value(b),
        Node::Neg(a) => -value(a),
        Node::Inverse(a) => value(a).inverse(),
        Node::Column { .. } | Node::Challenge(_) | Node::ClaimedSum(_) | Node::IsFirst | Node::IsLast => {
            unreachable!("leaves are read by the caller")
        }
    }
}
