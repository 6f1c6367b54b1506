use std::path::Path;
use std::sync::Arc;

use lindero_package::proto::{self, node::Op, public_tensor::Kind};
use lindero_package::{bundle_of_one, encode, Bundle, Circuit, PublicPart, StatedTensor, Statement};

pub const MODULUS: i64 = (1 << 31) - 1;

/// Builds a circuit and its columns. Columns of a table are added in the order of their phases.
#[derive(Default)]
pub struct Builder {
    circuit: proto::Circuit,
    links: Vec<proto::Link>,
    most_steps: u32,
    /// Per table, the columns of phases 0 and 1.
    fixed: Vec<Vec<Vec<u32>>>,
    main: Vec<Vec<Vec<u32>>>,
    values: Vec<Vec<i64>>,
}

/// A bundle with its columns and public values, as the files of a package have them.
#[derive(Clone)]
pub struct Sample {
    /// Of the first member.
    pub circuit: proto::Circuit,
    pub fixed: Vec<u8>,
    /// Circuit and fixed columns of the others.
    pub others: Vec<(proto::Circuit, Vec<u8>)>,
    pub bundle: proto::Bundle,
    /// One per block.
    pub traces: Vec<Vec<u8>>,
    /// The public part of a claim.
    pub claim: Vec<u8>,
}

/// An end of a link: the name of the member, that of the group, and whether it is of the step before.
pub type NamedEnd<'n> = (&'n str, &'n str, bool);

impl Builder {
    pub fn new() -> Self {
        let circuit =
            proto::Circuit { format: 1, modulus: MODULUS as u32, extension_degree: 4, ..Default::default() };
        Builder { circuit, ..Default::default() }
    }

    pub fn table(&mut self, name: &str, log_height: u32) -> u32 {
        self.circuit.tables.push(proto::Table { name: name.into(), log_height, ..Default::default() });
        self.fixed.push(Vec::new());
        self.main.push(Vec::new());
        self.circuit.tables.len() as u32 - 1
    }

    fn column(
        &mut self,
        table: u32,
        name: &str,
        phase: u32,
        generator: Option<proto::column::Generator>,
    ) -> u32 {
        let columns = &mut self.circuit.tables[table as usize].columns;
        columns.push(proto::Column { name: name.into(), phase, generator });
        columns.len() as u32 - 1
    }

    /// A column of phase 0 with `value(row)`; returns its node at offset 0.
    pub fn fixed(&mut self, table: u32, name: &str, value: impl Fn(usize) -> i64) -> u32 {
        let values = self.rows(table, value);
        self.fixed[table as usize].push(values);
        let column = self.column(table, name, 0, None);
        self.at(table, column, 0)
    }

    /// A column of phase 1 with `value(row)`; returns its node at offset 0.
    pub fn main(&mut self, table: u32, name: &str, value: impl Fn(usize) -> i64) -> u32 {
        let values = self.rows(table, value);
        self.main[table as usize].push(values);
        let column = self.column(table, name, 1, None);
        self.at(table, column, 0)
    }

    fn rows(&self, table: u32, value: impl Fn(usize) -> i64) -> Vec<u32> {
        let height = 1usize << self.circuit.tables[table as usize].log_height;
        (0..height).map(|row| value(row).rem_euclid(MODULUS) as u32).collect()
    }

    pub fn expression(&mut self, table: u32, name: &str, phase: u32, value: u32) -> u32 {
        let generator = proto::column::Generator::Expression(proto::Expression { value });
        let column = self.column(table, name, phase, Some(generator));
        self.at(table, column, 0)
    }

    pub fn scan(&mut self, table: u32, name: &str, phase: u32, mul: u32, add: u32) -> u32 {
        self.short_scan(table, name, phase, mul, add, 0)
    }

    /// A scan that says how many rows its runs have at most.
    pub fn short_scan(&mut self, table: u32, name: &str, phase: u32, mul: u32, add: u32, rows: u32) -> u32 {
        let generator = proto::column::Generator::Scan(proto::Scan { mul, add, rows });
        let column = self.column(table, name, phase, Some(generator));
        self.at(table, column, 0)
    }

    pub fn fraction(&mut self, table: u32, name: &str, phase: u32, numerator: u32, denominator: u32) -> u32 {
        let fraction = proto::Fraction { numerator, denominator, ..Default::default() };
        let column = self.column(table, name, phase, Some(proto::column::Generator::Fraction(fraction)));
        self.at(table, column, 0)
    }

    pub fn gather(
        &mut self,
        table: u32,
        name: &str,
        phase: u32,
        index: u32,
        sources: &[proto::GatherSource],
    ) -> u32 {
        let gather = proto::Gather { index, sources: sources.to_vec() };
        let column = self.column(table, name, phase, Some(proto::column::Generator::Gather(gather)));
        self.at(table, column, 0)
    }

    /// A running fraction with its claimed sum in `group`, and the constraint that defines both.
    #[allow(clippy::too_many_arguments)]
    pub fn running(
        &mut self,
        table: u32,
        name: &str,
        phase: u32,
        numerator: u32,
        denominator: u32,
        add: u32,
        group: u32,
    ) {
        let claimed_sum = self.circuit.claimed_sums.len() as u32;
        self.circuit.claimed_sums.push(proto::ClaimedSum { name: name.into(), table, group });
        let fraction = proto::Fraction { numerator, denominator, running: true, add, claimed_sum };
        let column = self.column(table, name, phase, Some(proto::column::Generator::Fraction(fraction)));
        let (current, previous) = (self.at(table, column, 0), self.at(table, column, -1));
        let claimed_sum = self.node(Op::ClaimedSum, claimed_sum, 0, 0);
        let first = self.is_first();
        // ((S - S[-1] + first * claimed sum) - add) * denominator = numerator
        let difference = self.sub(current, previous);
        let wrapped = self.mul(first, claimed_sum);
        let step = self.add(difference, wrapped);
        let own = self.sub(step, add);
        let product = self.mul(own, denominator);
        let equation = self.sub(product, numerator);
        self.constrain(table, name, equation);
    }

    /// The claimed sum of a running column.
    pub fn claimed_sum(&mut self, name: &str) -> u32 {
        let claimed_sum = self.circuit.claimed_sums.iter().position(|claimed_sum| claimed_sum.name == name);
        self.node(
            Op::ClaimedSum,
            claimed_sum.expect("a running column has made the claimed sum") as u32,
            0,
            0,
        )
    }

    /// Constrains an expression, a scan or a fraction that is not running to be what its generator says.
    pub fn define(&mut self, name: &str, column: u32) {
        use proto::column::Generator;
        let proto::Node { a: table, b: index, .. } = self.circuit.nodes[column as usize];
        let of = &self.circuit.tables[table as usize].columns[index as usize];
        let equation = match of.generator {
            Some(Generator::Expression(proto::Expression { value })) => self.sub(column, value),
            Some(Generator::Scan(proto::Scan { mul, add, .. })) => {
                let (one, first, before) = (self.constant(1), self.is_first(), self.shift(column, -1));
                let not_first = self.sub(one, first);
                let step = self.mul(not_first, mul);
                let carried = self.mul(step, before);
                let rest = self.sub(column, carried);
                self.sub(rest, add)
            }
            Some(Generator::Fraction(proto::Fraction { numerator, denominator, running: false, .. })) => {
                let product = self.mul(column, denominator);
                self.sub(product, numerator)
            }
            _ => panic!("column {index} of table {table} has no definition of its own"),
        };
        self.constrain(table, name, equation);
    }

    /// Constrains `node` to be zero on every row.
    pub fn constrain(&mut self, table: u32, name: &str, node: u32) {
        let constraint = proto::Constraint { name: name.into(), node, ..Default::default() };
        self.circuit.tables[table as usize].constraints.push(constraint);
    }

    pub fn challenge(&mut self, name: &str, phase: u32) -> u32 {
        self.circuit.challenges.push(proto::Challenge { name: name.into(), phase });
        let index = self.circuit.challenges.len() as u32 - 1;
        self.node(Op::Challenge, index, 0, 0)
    }

    /// The index of a challenge by its node.
    pub fn challenge_index(&self, node: u32) -> u32 {
        self.circuit.nodes[node as usize].a
    }

    pub fn group(&mut self, name: &str) -> u32 {
        self.circuit.sum_groups.push(proto::SumGroup { name: name.into(), exported: false });
        self.circuit.sum_groups.len() as u32 - 1
    }

    pub fn public(&mut self, tensor: proto::PublicTensor, values: Vec<i64>) {
        self.circuit.publics.push(tensor);
        self.values.push(values);
    }

    fn node(&mut self, op: Op, a: u32, b: u32, offset: i32) -> u32 {
        self.circuit.nodes.push(proto::Node { op: op as i32, a, b, offset });
        self.circuit.nodes.len() as u32 - 1
    }

    pub fn constant(&mut self, value: i64) -> u32 {
        self.node(Op::Constant, value.rem_euclid(MODULUS) as u32, 0, 0)
    }

    pub fn at(&mut self, table: u32, column: u32, offset: i32) -> u32 {
        self.node(Op::Column, table, column, offset)
    }

    /// The column of a node, `offset` rows on.
    pub fn shift(&mut self, node: u32, offset: i32) -> u32 {
        let proto::Node { a, b, .. } = self.circuit.nodes[node as usize];
        self.at(a, b, offset)
    }

    /// The index of the column of a node.
    pub fn column_index(&self, node: u32) -> u32 {
        self.circuit.nodes[node as usize].b
    }

    pub fn is_first(&mut self) -> u32 {
        self.node(Op::IsFirst, 0, 0, 0)
    }

    pub fn is_last(&mut self) -> u32 {
        self.node(Op::IsLast, 0, 0, 0)
    }

    pub fn add(&mut self, a: u32, b: u32) -> u32 {
        self.node(Op::Add, a, b, 0)
    }

    pub fn sub(&mut self, a: u32, b: u32) -> u32 {
        self.node(Op::Sub, a, b, 0)
    }

    pub fn mul(&mut self, a: u32, b: u32) -> u32 {
        self.node(Op::Mul, a, b, 0)
    }

    pub fn neg(&mut self, a: u32) -> u32 {
        self.node(Op::Neg, a, 0, 0)
    }

    pub fn inverse(&mut self, a: u32) -> u32 {
        self.node(Op::Inverse, a, 0, 0)
    }

    /// Lets links name the group.
    pub fn export(&mut self, group: u32) {
        self.circuit.sum_groups[group as usize].exported = true;
    }

    /// Lets group `out` of a step be what group `in` of the next one takes, in bundles of this circuit of up to `most_steps`.
    pub fn link(&mut self, r#in: u32, out: u32, most_steps: u32) {
        self.export(r#in);
        self.export(out);
        let end = |group, before| proto::LinkEnd { member: 0, group, before };
        self.links.push(proto::Link { ends: vec![end(r#in, false), end(out, true)] });
        self.most_steps = most_steps;
    }

    pub fn finish(mut self) -> Sample {
        let tables = (0..self.circuit.tables.len() as u32).collect();
        self.circuit.segments.push(proto::Segment { name: "whole".into(), tables });
        let bytes = |tables: &[Vec<Vec<u32>>]| {
            tables.iter().flatten().flatten().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>()
        };
        let mut part = PublicPart { inputs: Vec::new(), outputs: Vec::new() };
        for (tensor, values) in self.circuit.publics.iter().zip(self.values) {
            let list = match tensor.kind() {
                Kind::Input => &mut part.inputs,
                Kind::Output => &mut part.outputs,
            };
            list.push(StatedTensor {
                columns: tensor.columns,
                digest: None,
                exponent: tensor.exponent,
                high: tensor.high,
                low: tensor.low,
                name: tensor.name.clone(),
                rows: tensor.rows,
                shape: vec![tensor.rows.into(), tensor.columns.into()],
                values: Some(values),
            });
        }
        let most_steps = self.most_steps.max(1);
        Sample {
            fixed: bytes(&self.fixed),
            others: Vec::new(),
            bundle: proto::Bundle { links: self.links, most_steps, ..bundle_of_one() },
            traces: vec![bytes(&self.main)],
            claim: claim_of(&part),
            circuit: self.circuit,
        }
    }
}

impl Sample {
    pub fn circuit_bytes(&self) -> Vec<u8> {
        encode(&self.circuit)
    }

    /// One step of a bundle of these members, each with the name of its circuit's sample.
    pub fn join(members: &[(&str, Sample)], links: &[&[NamedEnd]], most_steps: u32) -> Sample {
        let mut circuits: Vec<&proto::Circuit> = Vec::new();
        let mut index = |circuit| {
            circuits.iter().position(|known| *known == circuit).unwrap_or_else(|| {
                circuits.push(circuit);
                circuits.len() - 1
            })
        };
        let member = |(name, sample): &(&str, Sample)| (name.to_string(), sample.circuit.clone());
        let named: Vec<(String, proto::Circuit)> = members.iter().map(member).collect();
        let place = |name: &str| named.iter().position(|(known, _)| known == name).expect("a member");
        let end = |&(member, group, before): &NamedEnd| {
            let member = place(member);
            let group = named[member].1.sum_groups.iter().position(|known| known.name == group);
            proto::LinkEnd { member: member as u32, group: group.expect("a group") as u32, before }
        };
        let bundle = proto::Bundle {
            members: members
                .iter()
                .map(|(name, sample)| proto::Member {
                    name: name.to_string(),
                    circuit: index(&sample.circuit) as u32,
                })
                .collect(),
            links: links.iter().map(|ends| proto::Link { ends: ends.iter().map(end).collect() }).collect(),
            most_steps,
            ..bundle_of_one()
        };
        let parts: Vec<PublicPart> = members.iter().map(|(_, sample)| sample.part()).collect();
        let part = PublicPart {
            inputs: parts.iter().flat_map(|part| part.inputs.clone()).collect(),
            outputs: parts.iter().flat_map(|part| part.outputs.clone()).collect(),
        };
        Sample {
            circuit: members[0].1.circuit.clone(),
            fixed: members[0].1.fixed.clone(),
            others: members[1..].iter().map(|(_, of)| (of.circuit.clone(), of.fixed.clone())).collect(),
            bundle,
            traces: members.iter().flat_map(|(_, sample)| sample.traces.clone()).collect(),
            claim: claim_of(&part),
        }
    }

    /// The samples, all of one bundle, as the steps of one run.
    pub fn bundle(blocks: &[Sample]) -> Sample {
        let parts: Vec<PublicPart> = blocks.iter().map(Sample::part).collect();
        let join = |tensors: fn(&PublicPart) -> &Vec<StatedTensor>| -> Vec<StatedTensor> {
            let mut joined = tensors(&parts[0]).clone();
            for (index, tensor) in joined.iter_mut().enumerate() {
                let same = parts.iter().map(|part| &tensors(part)[index]);
                tensor.rows = same.clone().map(|tensor| tensor.rows).sum();
                tensor.values =
                    same.map(|tensor| tensor.values.clone()).collect::<Option<Vec<_>>>().map(|v| v.concat());
            }
            joined
        };
        let part = PublicPart { inputs: join(|part| &part.inputs), outputs: join(|part| &part.outputs) };
        Sample {
            traces: blocks.iter().flat_map(|block| block.traces.clone()).collect(),
            claim: claim_of(&part),
            ..blocks[0].clone()
        }
    }

    /// The file of a block's trace.
    pub fn trace_file(block: usize) -> String {
        match block {
            0 => "trace.bin".into(),
            _ => format!("trace{block}.bin"),
        }
    }

    /// Writes a package, the traces and claim.json into a new or existing folder.
    pub fn write(&self, folder: &Path) -> std::io::Result<()> {
        std::fs::create_dir_all(folder)?;
        if self.bundle != bundle_of_one() {
            std::fs::write(folder.join("bundle.pb"), encode(&self.bundle))?;
        }
        let first = (&self.circuit, &self.fixed);
        let others = self.others.iter().map(|(circuit, fixed)| (circuit, fixed));
        for ((circuit, fixed), member) in std::iter::once(first).chain(others).zip(&self.bundle.members) {
            let folder = match self.others.is_empty() {
                true => folder.to_path_buf(),
                false => folder.join("members").join(&member.name),
            };
            std::fs::create_dir_all(&folder)?;
            std::fs::write(folder.join("circuit.pb"), encode(circuit))?;
            std::fs::write(folder.join("fixed.bin"), fixed)?;
        }
        for (block, trace) in self.traces.iter().enumerate() {
            std::fs::write(folder.join(Sample::trace_file(block)), trace)?;
        }
        std::fs::write(folder.join("claim.json"), &self.claim)
    }

    /// The sample with its public part changed.
    pub fn stating(&self, change: impl FnOnce(&mut PublicPart)) -> Sample {
        let mut part = self.part();
        change(&mut part);
        Sample { claim: claim_of(&part), ..self.clone() }
    }

    fn part(&self) -> PublicPart {
        serde_json::from_slice(&self.claim).expect("the sample's claim is JSON")
    }

    /// The sample with a member in its claim of which provers know nothing.
    pub fn labelled(&self, label: &str) -> Sample {
        let mut claim: serde_json::Value = serde_json::from_slice(&self.claim).expect("the claim is JSON");
        claim["label"] = label.into();
        Sample { claim: claim.to_string().into_bytes(), ..self.clone() }
    }

    /// Of the first member.
    pub fn decode(&self) -> (Circuit, Statement) {
        let circuit = Circuit::decode(&self.circuit_bytes()).expect("the sample is a valid circuit");
        (circuit, Statement::decode(&self.claim, &self.decode_bundle()).expect("the sample's claim fits"))
    }

    pub fn decode_bundle(&self) -> Bundle {
        let mut circuits: Vec<&proto::Circuit> = Vec::new();
        for circuit in std::iter::once(&self.circuit).chain(self.others.iter().map(|(circuit, _)| circuit)) {
            if !circuits.contains(&circuit) {
                circuits.push(circuit);
            }
        }
        let decode = |circuit: &&proto::Circuit| {
            Arc::new(Circuit::decode(&encode(*circuit)).expect("the sample is of valid circuits"))
        };
        let circuits: Vec<Arc<Circuit>> = circuits.iter().map(decode).collect();
        Bundle::new(&self.bundle, &circuits).expect("the sample is a valid bundle")
    }
}

fn claim_of(part: &PublicPart) -> Vec<u8> {
    serde_json::to_vec(part).expect("a claim is strings and numbers")
}
