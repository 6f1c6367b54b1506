//! The circuit's expressions as straight-line programs over blocks of rows.
//!
//! An instruction works on a whole block (`BLOCK` packs of 16 rows) before the next one starts, so that its
//! decoding costs nothing. Values live in registers, which are reused as soon as a value is dead: those of a
//! block stay in the cache. Columns are read where they lie; only neighbouring rows are copied.

use std::collections::BTreeMap;

use lindero_package::{Circuit, Node, NodeId, Scheduler, Scope};
use stwo::core::fields::m31::BaseField;
use stwo::core::fields::qm31::SecureField;
use stwo::prover::backend::simd::m31::PackedM31;

/// Packs per block; less in short tables.
pub const BLOCK: usize = 16;

/// Whole columns that a node reads: four coordinates, or one and three empty ones.
pub type Coordinates<'a> = [&'a [PackedM31]; 4];

/// Nodes of which a program need not compute the values, which are columns.
pub type Known<'a> = BTreeMap<NodeId, Coordinates<'a>>;

/// Where a program finds the value of a column or selector.
#[derive(Clone, Copy)]
pub struct Binding<'a> {
    pub columns: Coordinates<'a>,
    /// Rows between the one at hand and the one that is read.
    pub offset: i32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    Add,
    Sub,
    Mul,
}

#[derive(Clone, Copy)]
pub enum Operand {
    Base(Place),
    Extension(Place),
    BaseConstant(BaseField),
    ExtensionConstant(SecureField),
}

#[derive(Clone, Copy)]
pub enum Place {
    Register(usize),
    /// Index into the bindings.
    Column(usize),
}

pub enum Step {
    Binary {
        op: Op,
        left: Operand,
        right: Operand,
        out: usize,
    },
    Negate {
        of: Operand,
        out: usize,
    },
    /// Copies a neighbouring row.
    Load {
        binding: usize,
        extension: bool,
        out: usize,
    },
    /// Hands the value of a root to the caller.
    Emit {
        root: usize,
        value: Operand,
    },
}

/// A program that computes some nodes, the roots, on all rows of a table.
pub struct Program<'a> {
    pub bindings: Vec<Binding<'a>>,
    pub steps: Vec<Step>,
    pub base_registers: usize,
    pub extension_registers: usize,
}

/// What is known of a node while compiling.
#[derive(Clone, Copy)]
enum Value {
    Constant,
    Column(usize),
    Computed,
}

impl<'a> Program<'a> {
    /// Compiles the roots, which are nodes of one table. `uniform` holds the values of the uniform nodes;
    /// `bind` finds the columns. Each root is emitted once, as soon as it is computed; those in `known`, last.
    pub fn new(
        circuit: &Circuit,
        roots: &[NodeId],
        uniform: &[SecureField],
        known: &Known<'a>,
        mut bind: impl FnMut(Node) -> Binding<'a>,
    ) -> Self {
        let order = Scheduler::new(circuit).schedule(circuit, roots, |node| !known.contains_key(&node));
        let mut emitted: Vec<Vec<usize>> = vec![Vec::new(); circuit.nodes.len()];
        roots.iter().enumerate().for_each(|(root, &node)| emitted[node as usize].push(root));
        let mut bindings = Vec::new();
        let mut values = vec![Value::Computed; circuit.nodes.len()];
        for &node in &order {
            if circuit.facts(node).scope == Scope::Uniform {
                values[node as usize] = Value::Constant;
            } else if let leaf @ (Node::Column { .. } | Node::IsFirst | Node::IsLast) =
                circuit.nodes[node as usize]
            {
                let binding = bind(leaf);
                if binding.offset == 0 {
                    values[node as usize] = Value::Column(bindings.len());
                }
                bindings.push(binding);
            }
        }
        let operands = order.iter().flat_map(|&node| circuit.nodes[node as usize].operands());
        for node in operands.chain(roots.iter().copied()) {
            if let (Value::Computed, Some(&columns)) = (values[node as usize], known.get(&node)) {
                values[node as usize] = Value::Column(bindings.len());
                bindings.push(Binding { columns, offset: 0 });
            }
        }
        let mut compiler = Compiler {
            circuit,
            uniform,
            values,
            last_use: last_uses(circuit, &order),
            registers: vec![0; circuit.nodes.len()],
            base: Registers::default(),
            extension: Registers::default(),
            steps: Vec::new(),
            next_load: 0,
            loads: bindings
                .iter()
                .enumerate()
                .filter(|(_, b)| b.offset != 0)
                .map(|(index, _)| index)
                .collect(),
        };
        for (time, &node) in order.iter().enumerate() {
            compiler.compute(node);
            for &root in &emitted[node as usize] {
                let value = compiler.operand(node);
                compiler.steps.push(Step::Emit { root, value });
            }
            compiler.release(node, time);
        }
        for (root, &node) in roots.iter().enumerate().filter(|(_, node)| known.contains_key(node)) {
            let value = compiler.operand(node);
            compiler.steps.push(Step::Emit { root, value });
        }
        let Compiler { steps, base, extension, .. } = compiler;
        Program { bindings, steps, base_registers: base.count, extension_registers: extension.count }
    }
}

/// Per node, the time at which its value is read last: that of its computation, if nobody reads it.
fn last_uses(circuit: &Circuit, order: &[NodeId]) -> Vec<usize> {
    let mut last_use = vec![0; circuit.nodes.len()];
    for (time, &node) in order.iter().enumerate() {
        last_use[node as usize] = time;
        circuit.nodes[node as usize].operands().for_each(|operand| last_use[operand as usize] = time);
    }
    last_use
}

#[derive(Default)]
struct Registers {
    free: Vec<usize>,
    count: usize,
}

impl Registers {
    fn take(&mut self) -> usize {
        self.free.pop().unwrap_or_else(|| {
            self.count += 1;
            self.count - 1
        })
    }
}

struct Compiler<'c> {
    circuit: &'c Circuit,
    uniform: &'c [SecureField],
    values: Vec<Value>,
    last_use: Vec<usize>,
    /// Of the computed nodes.
    registers: Vec<usize>,
    base: Registers,
    extension: Registers,
    steps: Vec<Step>,
    /// Bindings that need a copy, in the order of the schedule.
    loads: Vec<usize>,
    next_load: usize,
}

impl Compiler<'_> {
    /// Appends the step that computes a node. The register of the result is never one of an operand's.
    fn compute(&mut self, node: NodeId) {
        if !matches!(self.values[node as usize], Value::Computed) {
            return;
        }
        let extension = self.circuit.facts(node).extension;
        let out = if extension { self.extension.take() } else { self.base.take() };
        self.registers[node as usize] = out;
        let binary = |compiler: &Self, op, a, b| Step::Binary {
            op,
            left: compiler.operand(a),
            right: compiler.operand(b),
            out,
        };
        let step = match self.circuit.nodes[node as usize] {
            Node::Add(a, b) => binary(self, Op::Add, a, b),
            Node::Sub(a, b) => binary(self, Op::Sub, a, b),
            Node::Mul(a, b) => binary(self, Op::Mul, a, b),
            Node::Neg(a) => Step::Negate { of: self.operand(a), out },
            Node::Column { .. } => {
                self.next_load += 1;
                Step::Load { binding: self.loads[self.next_load - 1], extension, out }
            }
            _ => unreachable!("constants and selectors are not computed"),
        };
        self.steps.push(step);
    }

    /// Frees the registers of the values that are read for the last time by `node`, its own included.
    fn release(&mut self, node: NodeId, time: usize) {
        let mut dead: Vec<NodeId> = self.circuit.nodes[node as usize].operands().chain([node]).collect();
        dead.dedup();
        for value in dead {
            if self.last_use[value as usize] == time && matches!(self.values[value as usize], Value::Computed)
            {
                let extension = self.circuit.facts(value).extension;
                let registers = if extension { &mut self.extension } else { &mut self.base };
                registers.free.push(self.registers[value as usize]);
            }
        }
    }

    fn operand(&self, node: NodeId) -> Operand {
        let extension = self.circuit.facts(node).extension;
        let place = match self.values[node as usize] {
            Value::Constant if extension => return Operand::ExtensionConstant(self.uniform[node as usize]),
            Value::Constant => return Operand::BaseConstant(self.uniform[node as usize].to_m31_array()[0]),
            Value::Column(binding) => Place::Column(binding),
            Value::Computed => Place::Register(self.registers[node as usize]),
        };
        if extension {
            Operand::Extension(place)
        } else {
            Operand::Base(place)
        }
    }
}
