//! The validated form of `bundle.proto`: which circuits are proven together, how often, and what ties them to each other.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use crate::circuit::Circuit;
use crate::error::Error;
use crate::format_rules::{obey, Rule};
use crate::proto;

/// Of [`proto::Bundle`].
pub const BUNDLE_FORMAT: u32 = 1;
/// The name of the only member of a package without `bundle.pb`.
pub const WHOLE: &str = "whole";
/// Members times steps.
pub const MAX_BLOCKS: usize = 1 << 16;
const MAX_NAME: usize = 64;
/// Tables, challenges and sum groups, those of a circuit counted with each member.
const MAX_PARTS: usize = 1 << 24;

/// See bundle.proto, which is normative; [`Bundle::new`] guarantees what FORMAT.md demands.
#[derive(Clone, Debug)]
pub struct Bundle {
    pub members: Vec<Member>,
    pub links: Vec<Vec<End>>,
    pub most_steps: usize,
    /// The challenges of phase 1 of all members, by name, in the order in which they are drawn.
    pub challenges: Vec<String>,
}

#[derive(Clone, Debug)]
pub struct Member {
    pub name: String,
    /// Members may have the same.
    pub circuit: Arc<Circuit>,
    /// Its index, in the order in which circuits first appear.
    pub circuit_index: usize,
    /// Its public tensors among those of the bundle: of all members, one after the other.
    pub publics: Range<usize>,
    /// Its challenges of phase 1: their index in the circuit, and in [`Bundle::challenges`].
    /// Members of one circuit share the list.
    pub shared: Arc<[(usize, usize)]>,
    /// Its groups that a link names.
    pub linked: Vec<usize>,
    /// The links of which it is the last end in the step itself.
    pub completes: Vec<usize>,
}

/// The sum of a group of a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct End {
    pub member: usize,
    pub group: usize,
    /// That of the step before; zero in the first step.
    pub before: bool,
}

/// What stands for a `bundle.pb` where there is none: a circuit by itself.
pub fn bundle_of_one() -> proto::Bundle {
    let member = proto::Member { name: WHOLE.into(), circuit: 0 };
    proto::Bundle { format: BUNDLE_FORMAT, members: vec![member], links: Vec::new(), most_steps: 1 }
}

impl Bundle {
    /// Checks the message against the circuits that its members name by index.
    pub fn new(message: &proto::Bundle, circuits: &[Arc<Circuit>]) -> Result<Self, Error> {
        obey!(
            Encoding,
            message.format == BUNDLE_FORMAT,
            "bundle format {} is not supported (this reads format {BUNDLE_FORMAT})",
            message.format
        );
        let (mut members, challenges) = members(message, circuits)?;
        let links = links(message, &members)?;
        for (index, ends) in links.iter().enumerate() {
            for end in ends {
                members[end.member].linked.push(end.group);
            }
            let last = ends.iter().filter(|end| !end.before).map(|end| end.member).max();
            members[last.expect("an end of the step itself")].completes.push(index);
        }
        let most_steps = steps(message, &links)?;
        Ok(Bundle { members, links, most_steps, challenges })
    }

    /// The public tensors of all members.
    pub fn publics(&self) -> impl Iterator<Item = &proto::PublicTensor> {
        self.members.iter().flat_map(|member| &member.circuit.publics)
    }

    /// Of the blocks of a bundle of `steps`, in their order, the step and the member.
    pub fn blocks(&self, steps: usize) -> impl Iterator<Item = (usize, usize)> + '_ {
        (0..steps).flat_map(|step| (0..self.members.len()).map(move |member| (step, member)))
    }

    pub fn most_blocks(&self) -> usize {
        self.members.len() * self.most_steps
    }
}

/// Also the names of the challenges that they share, in the order in which these are drawn.
fn members(message: &proto::Bundle, circuits: &[Arc<Circuit>]) -> Result<(Vec<Member>, Vec<String>), Error> {
    let count = message.members.len();
    obey!(
        Members,
        (1..=MAX_BLOCKS).contains(&count),
        "a bundle has {count} members, and may have 1 to {MAX_BLOCKS}"
    );
    let (mut names, mut tensors) = (BTreeSet::new(), BTreeSet::new());
    let (mut drawn, mut challenges) = (BTreeMap::new(), Vec::new());
    // Per circuit.
    let mut shared: Vec<Arc<[(usize, usize)]>> = Vec::with_capacity(circuits.len());
    let mut members: Vec<Member> = Vec::with_capacity(count);
    let mut parts = 0;
    for member in &message.members {
        let name = &member.name;
        check_name(name)?;
        obey!(Members, names.insert(name), "two members have the name {name}");
        let index = member.circuit as usize;
        let circuit = circuits.get(index).filter(|_| index <= shared.len()).ok_or_else(|| {
            let why = format!("member {name} has circuit {index}, which does not exist or is out of order");
            Error::of(Rule::Members, why)
        })?;
        parts += circuit.tables.len() + circuit.challenges.len() + circuit.sum_groups.len();
        obey!(
            Members,
            parts <= MAX_PARTS,
            "tables, challenges and sum groups of all members are more than {MAX_PARTS}"
        );
        for tensor in &circuit.publics {
            obey!(
                Members,
                tensors.insert(&tensor.name),
                "public tensor {:?} of member {name} is another member's, too",
                tensor.name
            );
        }
        if index == shared.len() {
            let share = |place: usize| {
                let name = &circuit.challenges[place].name;
                let index = *drawn.entry(name).or_insert_with(|| {
                    challenges.push(name.clone());
                    challenges.len() - 1
                });
                (place, index)
            };
            shared.push(circuit.challenges_after(1).map(share).collect());
        }
        let first = members.last().map_or(0, |member| member.publics.end);
        members.push(Member {
            name: name.clone(),
            circuit: circuit.clone(),
            circuit_index: index,
            publics: first..first + circuit.publics.len(),
            shared: shared[index].clone(),
            linked: Vec::new(),
            completes: Vec::new(),
        });
    }
    let unused = circuits.len() - shared.len();
    obey!(Members, unused == 0, "{unused} circuits are of no member");
    Ok((members, challenges))
}

/// It is that of a folder, too.
pub(crate) fn check_name(name: &str) -> Result<(), Error> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let fits = (1..=MAX_NAME).contains(&name.len()) && name.chars().all(plain) && !name.starts_with('.');
    obey!(Members, fits, "{name:?} cannot be the name of a member");
    Ok(())
}

fn links(message: &proto::Bundle, members: &[Member]) -> Result<Vec<Vec<End>>, Error> {
    let mut linked = BTreeSet::new();
    let mut links = Vec::with_capacity(message.links.len());
    for (index, link) in message.links.iter().enumerate() {
        let mut ends = Vec::with_capacity(link.ends.len());
        for end in &link.ends {
            let (member, group) = (end.member as usize, end.group as usize);
            let of = members.get(member).and_then(|member| member.circuit.sum_groups.get(group));
            obey!(
                Links,
                of.is_some_and(|group| group.exported),
                "link {index} names group {group} of member {member}, which does not exist or is not exported"
            );
            obey!(
                Links,
                linked.insert((member, group)),
                "group {group} of member {member} is an end of two links, or twice of one"
            );
            ends.push(End { member, group, before: end.before });
        }
        obey!(Links, ends.len() == 2, "link {index} has {} ends, not two", ends.len());
        obey!(
            Links,
            ends.iter().any(|end| !end.before),
            "link {index} says nothing of the step itself: all of its ends are of the one before"
        );
        links.push(ends);
    }
    Ok(links)
}

fn steps(message: &proto::Bundle, links: &[Vec<End>]) -> Result<usize, Error> {
    let carried = links.iter().flatten().any(|end| end.before);
    let (steps, members) = (message.most_steps as usize, message.members.len());
    let allowed = if carried { 2..=MAX_BLOCKS / members } else { 1..=1 };
    obey!(
        Steps,
        allowed.contains(&steps),
        "a bundle of {members} members, {} links between steps, cannot have up to {steps} steps",
        if carried { "with" } else { "without" }
    );
    Ok(steps)
}
