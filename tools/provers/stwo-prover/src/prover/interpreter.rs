//! Runs programs, a block of rows at a time.

use stwo::prover::backend::simd::m31::PackedM31;

use super::field::{broadcast, Base, Combine, Extension};
use super::program::{Coordinates, Op, Operand, Place, Program, Step};

/// Copies the rows that lie `offset` further on, in whatever order the columns have.
pub trait Neighbours: Sync {
    /// Fills `out` with the neighbours of the rows of packs `first..first + out.len()`, a block.
    fn load(&self, column: &[PackedM31], offset: i32, first: usize, out: &mut [PackedM31]);
}

/// The values of a root on a block.
#[derive(Clone, Copy)]
pub enum Values<'a> {
    Base(&'a [PackedM31]),
    Extension(Coordinates<'a>),
    BaseConstant(Base),
    ExtensionConstant(Extension),
}

/// The registers of one thread.
pub struct Registers {
    base: Vec<Vec<PackedM31>>,
    extension: Vec<[Vec<PackedM31>; 4]>,
    /// Packs per register.
    block: usize,
}

impl Registers {
    pub fn new(program: &Program, block: usize) -> Self {
        let register = || vec![PackedM31::broadcast(0u32.into()); block];
        Registers {
            base: (0..program.base_registers).map(|_| register()).collect(),
            extension: (0..program.extension_registers)
                .map(|_| std::array::from_fn(|_| register()))
                .collect(),
            block,
        }
    }
}

/// Runs a program on the block that starts at pack `first`, and hands each root with its values to `sink`.
pub fn run(
    program: &Program,
    neighbours: &impl Neighbours,
    first: usize,
    registers: &mut Registers,
    mut sink: impl FnMut(usize, Values),
) {
    for step in &program.steps {
        match *step {
            Step::Binary { op, left, right, out } => binary(program, first, registers, op, left, right, out),
            Step::Negate { of, out } => {
                let zero = Operand::BaseConstant(0u32.into());
                binary(program, first, registers, Op::Sub, zero, of, out);
            }
            Step::Load { binding, extension, out } => {
                let binding = &program.bindings[binding];
                if extension {
                    for (column, out) in binding.columns.iter().zip(&mut registers.extension[out]) {
                        neighbours.load(column, binding.offset, first, out);
                    }
                } else {
                    neighbours.load(binding.columns[0], binding.offset, first, &mut registers.base[out]);
                }
            }
            Step::Emit { root, value } => sink(root, resolve(program, first, registers, value)),
        }
    }
}

fn resolve<'a>(
    program: &Program<'a>,
    first: usize,
    registers: &'a Registers,
    operand: Operand,
) -> Values<'a> {
    let rows = first..first + registers.block;
    match operand {
        Operand::BaseConstant(value) => Values::BaseConstant(PackedM31::broadcast(value)),
        Operand::ExtensionConstant(value) => Values::ExtensionConstant(broadcast(value)),
        Operand::Base(Place::Register(index)) => Values::Base(&registers.base[index]),
        Operand::Base(Place::Column(index)) => Values::Base(&program.bindings[index].columns[0][rows]),
        Operand::Extension(Place::Register(index)) => {
            let [a, b, c, d] = &registers.extension[index];
            Values::Extension([a, b, c, d])
        }
        Operand::Extension(Place::Column(index)) => {
            Values::Extension(program.bindings[index].columns.map(|column| &column[rows.clone()]))
        }
    }
}

fn binary(
    program: &Program,
    first: usize,
    registers: &mut Registers,
    op: Op,
    left: Operand,
    right: Operand,
    out: usize,
) {
    let is_base = |operand| matches!(operand, Operand::Base(_) | Operand::BaseConstant(_));
    // The result's register is taken out while the operands, which are others, are borrowed.
    if is_base(left) && is_base(right) {
        let mut result = std::mem::take(&mut registers.base[out]);
        let (left, right) =
            (resolve(program, first, registers, left), resolve(program, first, registers, right));
        base_binary(op, left, right, &mut result);
        registers.base[out] = result;
    } else {
        let mut result = std::mem::take(&mut registers.extension[out]);
        let (left, right) =
            (resolve(program, first, registers, left), resolve(program, first, registers, right));
        extension_binary(op, left, right, &mut result);
        registers.extension[out] = result;
    }
}

/// An operand that gives one value per pack of rows.
trait Lanes: Copy {
    type Item;
    fn at(&self, pack: usize) -> Self::Item;
    /// Cuts what is longer than a block, so that the compiler sees one length.
    fn cut(self, block: usize) -> Self;
}

#[derive(Clone, Copy)]
struct Constant<T>(T);

impl<T: Copy> Lanes for Constant<T> {
    type Item = T;
    #[inline(always)]
    fn at(&self, _pack: usize) -> T {
        self.0
    }
    #[inline(always)]
    fn cut(self, _block: usize) -> Self {
        self
    }
}

impl Lanes for &[PackedM31] {
    type Item = Base;
    #[inline(always)]
    fn at(&self, pack: usize) -> Base {
        self[pack]
    }
    #[inline(always)]
    fn cut(self, block: usize) -> Self {
        &self[..block]
    }
}

impl Lanes for Coordinates<'_> {
    type Item = Extension;
    #[inline(always)]
    fn at(&self, pack: usize) -> Extension {
        [self[0][pack], self[1][pack], self[2][pack], self[3][pack]]
    }
    #[inline(always)]
    fn cut(self, block: usize) -> Self {
        self.map(|column| &column[..block])
    }
}

fn base_binary(op: Op, left: Values, right: Values, out: &mut [PackedM31]) {
    match (left, right) {
        (Values::Base(a), Values::Base(b)) => base_loop(op, a, b, out),
        (Values::Base(a), Values::BaseConstant(b)) => base_loop(op, a, Constant(b), out),
        (Values::BaseConstant(a), Values::Base(b)) => base_loop(op, Constant(a), b, out),
        (Values::BaseConstant(a), Values::BaseConstant(b)) => base_loop(op, Constant(a), Constant(b), out),
        _ => unreachable!("both operands are in the base field"),
    }
}

fn extension_binary(op: Op, left: Values, right: Values, out: &mut [Vec<PackedM31>; 4]) {
    use Values::{Base, BaseConstant, Extension, ExtensionConstant};
    match (left, right) {
        (Extension(a), Extension(b)) => extension_loop(op, a, b, out),
        (Extension(a), ExtensionConstant(b)) => extension_loop(op, a, Constant(b), out),
        (ExtensionConstant(a), Extension(b)) => extension_loop(op, Constant(a), b, out),
        (Extension(a), Base(b)) => extension_loop(op, a, b, out),
        (Base(a), Extension(b)) => extension_loop(op, a, b, out),
        (Extension(a), BaseConstant(b)) => extension_loop(op, a, Constant(b), out),
        (BaseConstant(a), Extension(b)) => extension_loop(op, Constant(a), b, out),
        (ExtensionConstant(a), Base(b)) => extension_loop(op, Constant(a), b, out),
        (Base(a), ExtensionConstant(b)) => extension_loop(op, a, Constant(b), out),
        _ => unreachable!("an operation on constants is a constant"),
    }
}

#[inline(always)]
fn base_loop<A, B>(op: Op, a: A, b: B, out: &mut [PackedM31])
where
    A: Lanes,
    B: Lanes,
    A::Item: Combine<B::Item, Output = Base>,
{
    let (a, b) = (a.cut(out.len()), b.cut(out.len()));
    match op {
        Op::Add => (0..out.len()).for_each(|i| out[i] = a.at(i).plus(b.at(i))),
        Op::Sub => (0..out.len()).for_each(|i| out[i] = a.at(i).minus(b.at(i))),
        Op::Mul => (0..out.len()).for_each(|i| out[i] = a.at(i).times(b.at(i))),
    }
}

#[inline(always)]
fn extension_loop<A, B>(op: Op, a: A, b: B, out: &mut [Vec<PackedM31>; 4])
where
    A: Lanes,
    B: Lanes,
    A::Item: Combine<B::Item, Output = Extension>,
{
    let block = out[0].len();
    let (a, b) = (a.cut(block), b.cut(block));
    let [w, x, y, z] = out;
    let (w, x, y, z) = (&mut w[..block], &mut x[..block], &mut y[..block], &mut z[..block]);
    let mut put = |i: usize, value: Extension| [w[i], x[i], y[i], z[i]] = value;
    match op {
        Op::Add => (0..block).for_each(|i| put(i, a.at(i).plus(b.at(i)))),
        Op::Sub => (0..block).for_each(|i| put(i, a.at(i).minus(b.at(i)))),
        Op::Mul => (0..block).for_each(|i| put(i, a.at(i).times(b.at(i)))),
    }
}

impl Values<'_> {
    /// Writes the values as extension elements.
    pub fn copy_to(&self, out: &mut [&mut [PackedM31]; 4]) {
        match *self {
            Values::Base(values) => {
                out[0].copy_from_slice(values);
                out[1..].iter_mut().for_each(|column| column.fill(PackedM31::broadcast(0u32.into())));
            }
            Values::Extension(values) => {
                out.iter_mut().zip(values).for_each(|(column, values)| column.copy_from_slice(values));
            }
            Values::BaseConstant(value) => {
                out[0].fill(value);
                out[1..].iter_mut().for_each(|column| column.fill(PackedM31::broadcast(0u32.into())));
            }
            Values::ExtensionConstant(value) => {
                out.iter_mut().zip(value).for_each(|(column, value)| column.fill(value));
            }
        }
    }

    /// The values of one pack of rows as extension elements.
    pub fn at(&self, pack: usize) -> Extension {
        let zero = PackedM31::broadcast(0u32.into());
        match *self {
            Values::Base(values) => [values[pack], zero, zero, zero],
            Values::Extension(values) => values.at(pack),
            Values::BaseConstant(value) => [value, zero, zero, zero],
            Values::ExtensionConstant(value) => value,
        }
    }

    /// Adds `coefficient` times the values to `sum`.
    pub fn accumulate(&self, coefficient: Extension, sum: &mut [Vec<PackedM31>; 4]) {
        match *self {
            Values::Base(values) => accumulate(values, coefficient, sum),
            Values::Extension(values) => accumulate(values, coefficient, sum),
            Values::BaseConstant(value) => accumulate(Constant(value), coefficient, sum),
            Values::ExtensionConstant(value) => accumulate(Constant(value), coefficient, sum),
        }
    }
}

#[inline(always)]
fn accumulate<A>(values: A, coefficient: Extension, sum: &mut [Vec<PackedM31>; 4])
where
    A: Lanes,
    A::Item: Combine<Extension, Output = Extension>,
{
    let block = sum[0].len();
    let values = values.cut(block);
    let [w, x, y, z] = sum;
    let (w, x, y, z) = (&mut w[..block], &mut x[..block], &mut y[..block], &mut z[..block]);
    for i in 0..block {
        let [a, b, c, d] = values.at(i).times(coefficient);
        w[i] += a;
        x[i] += b;
        y[i] += c;
        z[i] += d;
    }
}
