"""Files of opsets 10 to 12, from the exporter that wrote them then."""

from torch import nn

from causal import DIM, LENGTH, tokens
from encoders import reals
from export import torchscript
from layers import Attention, NanoGpt, seeded
from model import Model, Sample


class OldAttention(Attention):
    """As of PyTorch 1.x: projected by `chunk` (now `unflatten`, of opset 13), and not fused (opset 14)."""

    def keys(self, x):
        return x.view_as(x), x.view_as(x)


class Encoder(nn.Module):
    """nn.TransformerEncoderLayer of that attention."""

    def __init__(self):
        super().__init__()
        self.attention = OldAttention(weights=True, batch_first=True)
        self.first, self.second = nn.LayerNorm(DIM), nn.LayerNorm(DIM)
        self.mlp = nn.Sequential(nn.Linear(DIM, 64), nn.ReLU(), nn.Linear(64, DIM))

    def forward(self, x):
        x = self.first(x + self.attention(x)[0])
        return self.second(x + self.mlp(x))


class Mlp(nn.Module):
    def __init__(self, activation):
        super().__init__()
        self.up, self.down, self.activation = nn.Linear(DIM, 64), nn.Linear(64, 16), activation

    def forward(self, x):
        return self.down(self.activation(self.up(x)))


class Classifier(nn.Module):
    """Softmax over classes, of the mean of the tokens."""

    def __init__(self):
        super().__init__()
        self.words, self.attention = nn.Embedding(96, DIM), OldAttention(weights=True, batch_first=True)
        self.head = nn.Sequential(nn.Linear(DIM, 32), nn.Tanh(), nn.Linear(32, 5))

    def forward(self, input_ids):
        x = self.words(input_ids)
        return self.head((x + self.attention(x)[0]).mean(1)).softmax(-1)


def cases():
    x, ids = lambda: {"x": reals(4, DIM)}, lambda: {"input_ids": tokens()}
    tokens_of_reals = lambda: {"x": reals(1, LENGTH, DIM)}
    yield "nanogpt", lambda: seeded(NanoGpt), ids
    yield "attention", lambda: seeded(OldAttention, weights=True, batch_first=True), tokens_of_reals
    yield "attention_length_first", lambda: seeded(OldAttention, weights=True), lambda: {"x": reals(LENGTH, 1, DIM)}
    yield "encoder_layer", lambda: seeded(Encoder), tokens_of_reals
    yield "classifier", lambda: seeded(Classifier), ids
    for name, activation in (("relu", nn.ReLU()), ("gelu", nn.GELU()), ("sigmoid", nn.Sigmoid()), ("elu", nn.ELU())):
        yield f"mlp_{name}", lambda activation=activation: seeded(Mlp, activation), x


def models():
    for name, module, inputs in cases():
        for opset in (10, 11, 12):
            def make(path, module=module, inputs=inputs, opset=opset):
                example = inputs()
                torchscript(module(), example, ["y"], path, opset=opset)
                return Sample({key: value.numpy() for key, value in example.items()})
            yield Model(f"old_{name}_{opset}", f"opset {opset}", f"{name.replace('_', ' ')}, TorchScript, static", make)
