//! Stwo's spans, as stages of the progress.

use std::sync::Arc;

use tracing::span::{Attributes, Id};
use tracing::Subscriber;
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;

use crate::progress::Progress;

/// Spans of `stwo::prover::prove`, which is one call: what begins with them, and what follows their end.
const STAGES: [(&str, &str, Option<&str>); 4] = [
    ("Composition", "composition", None),
    ("Evaluate columns out of domain", "out_of_domain", None),
    ("Compute FRI quotients", "quotients", Some("fri")),
    ("Grind", "grinding", Some("openings")),
];

struct StageLayer(Arc<Progress>);

fn stage(name: &str) -> Option<(&'static str, Option<&'static str>)> {
    STAGES.iter().find(|(span, _, _)| *span == name).map(|&(_, begin, then)| (begin, then))
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for StageLayer {
    fn on_new_span(&self, attributes: &Attributes<'_>, _id: &Id, _context: Context<'_, S>) {
        if let Some((begin, _)) = stage(attributes.metadata().name()) {
            self.0.begin(begin);
        }
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        let name = context.metadata(&id).map(|metadata| metadata.name());
        if let Some((_, Some(then))) = name.and_then(stage) {
            self.0.begin(then);
        }
    }
}

/// Runs `work`, in which calls into Stwo begin stages.
pub fn with_stages<T>(progress: &Arc<Progress>, work: impl FnOnce() -> T) -> T {
    let subscriber = tracing_subscriber::registry().with(StageLayer(progress.clone()));
    tracing::subscriber::with_default(subscriber, work)
}
