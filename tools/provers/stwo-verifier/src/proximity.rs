//! What is known of words far from the code: delta and E of `security.rs`, by how far from the code a word may be.

use crate::parameters::Parameters;

/// How far from the code a word may be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Radius {
    /// Half the code's distance, less a loss.
    Unique {
        loss: f64,
    },
    Elias,
    Rate,
}

impl Radius {
    /// How many codewords a commitment may stand for before a point out of domain is drawn.
    pub fn list_size(&self) -> f64 {
        match self {
            // Elias: what the conjecture says.
            Radius::Unique { .. } | Radius::Elias | Radius::Rate => 1.0,
        }
    }
}

impl std::fmt::Display for Radius {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        match self {
            Radius::Unique { loss } => {
                write!(f, "unique decoding with a loss of 2^{:.2} (SOUNDNESS.md, lemmas 1 to 6)", loss.log2())
            }
            Radius::Elias => write!(f, "Elias radius over the base field"),
            Radius::Rate => write!(f, "guessing queries at the rate"),
        }
    }
}

/// Losses worth trying: quarters of powers of two.
pub fn losses() -> impl Iterator<Item = f64> {
    (6..72).map(|quarters| (-quarters as f64 / 4.0).exp2())
}

fn binary_entropy(x: f64) -> f64 {
    -x * x.log2() - (1.0 - x) * (1.0 - x).log2()
}

/// The first code of FRI and its folds.
pub struct Code {
    /// n and k.
    points: f64,
    pub dimension: f64,
    rate: f64,
    /// Per fold, its points and the degree of the curve that it draws a point of.
    folds: Vec<(f64, f64)>,
}

impl Code {
    pub fn new(log_height: u32, parameters: &Parameters) -> Self {
        let points = |log_dimension: u32| ((log_dimension + parameters.log_blowup) as f64).exp2();
        let mut folds = Vec::new();
        let mut log_dimension = log_height;
        while log_dimension > parameters.log_last_layer_degree {
            let step = parameters.fold_step.min(log_dimension - parameters.log_last_layer_degree);
            folds.push((points(log_dimension), (step as f64).exp2() - 1.0));
            log_dimension -= step;
        }
        Code {
            points: points(log_height),
            dimension: (log_height as f64).exp2(),
            rate: (-(parameters.log_blowup as f64)).exp2(),
            folds,
        }
    }

    /// What a query passes with, E of the batch, and E of all folds times the degrees of their curves.
    pub fn errors(&self, radius: Radius) -> [f64; 3] {
        match radius {
            Radius::Unique { loss } => self.unique(loss),
            Radius::Elias => self.heuristic(self.rate + binary_entropy(self.rate) / 31.0),
            Radius::Rate => self.guesses(),
        }
    }

    fn unique(&self, loss: f64) -> [f64; 3] {
        let rate = ((self.dimension + 3.0) / self.points).min(1.0);
        let top = (1.0 - rate) / 2.0;
        if loss >= top / 3.0 {
            return [1.0; 3];
        }
        let line = |left: f64, distance: f64| {
            let divides = (1.0 - rate - left) / (left * (1.0 - rate - 2.0 * left));
            divides.max(distance / (distance - left))
        };
        let batch = line(top - loss / 2.0, top);
        let (mut folds, mut distance) = (0.0, top - loss / 2.0);
        for (_, degree) in &self.folds {
            let left = distance - loss / 2.0 / self.folds.len() as f64;
            folds += degree * line(left, distance);
            distance = left;
        }
        [1.0 - (top - loss), batch, folds]
    }

    fn guesses(&self) -> [f64; 3] {
        [self.rate, 1.0, self.folds.iter().map(|(_, degree)| degree).sum()]
    }

    fn heuristic(&self, agreement: f64) -> [f64; 3] {
        let folds = self.folds.iter().map(|(points, degree)| degree * (points + 1.0)).sum();
        [agreement, self.points, folds]
    }
}
