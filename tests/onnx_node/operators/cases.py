"""The cases of this folder. `c` is short for a case: a name, a graph, its constants."""

from dataclasses import dataclass, field

import numpy as np


@dataclass
class Case:
    name: str
    graph: str
    opset: int = 18
    constants: dict = field(default_factory=dict)
    inputs: dict = field(default_factory=dict)
    tolerance: float = 2e-6  # of the largest element


CASES = []


def weights(*shape, seed=1):
    return (np.random.default_rng(seed).standard_normal(shape) / 2).astype(np.float32)


def ints(*values):
    return np.array(values, np.int64)


def c(name, signature, body, opset=18, inputs=None, tolerance=2e-6, **constants):
    """`signature` is "float[2] x => float[2] y"; constants are arrays, or numbers of single precision."""
    given, results = signature.split("=>")
    arrays = {key: np.float32(value) if isinstance(value, float) else np.asarray(value) for key, value in constants.items()}
    arrays = {key: value.astype(np.float32) if value.dtype == np.float64 else value for key, value in arrays.items()}
    CASES.append(Case(name, f"g ({given.strip()}) => ({results.strip()}) {{ {body} }}", opset, arrays, inputs or {}, tolerance))


# By the standard's definitions.

c("log_softmax", "float[2,3,4] x => float[2,3,4] y", "y = LogSoftmax(x)")
c("log_softmax_first_axis", "float[2,3] x => float[2,3] y", "y = LogSoftmax <axis = -2> (x)", opset=13)
c("swish_as_written", "float[5] x => float[5] y", "s = Sigmoid(x) y = Mul(x, s)")
c("shrink", "float[2,8] x => float[2,8] y", "y = Shrink <bias = 0.25, lambd = 0.5> (x)")
c("shrink_of_opset_9", "float[2,8] x => float[2,8] y", "y = Shrink(x)", opset=9)
c("mean_variance_normalization", "float[2,3,4,2] x => float[2,3,4,2] y", "y = MeanVarianceNormalization(x)")
c("mean_variance_normalization_of_axes", "float[2,3,4] x => float[2,3,4] y", "y = MeanVarianceNormalization <axes = [1]> (x)", opset=13)
c("group_normalization", "float[2,6,4] x => float[2,6,4] y", "y = GroupNormalization <num_groups = 3, epsilon = 0.01> (x, s, b)",
  opset=21, s=weights(6), b=weights(6, seed=2))
c("group_normalization_of_pixels", "float[1,4,3,5] x => float[1,4,3,5] y", "y = GroupNormalization <num_groups = 2> (x, s, b)",
  opset=21, s=weights(4), b=weights(4, seed=2))
c("center_crop_pad", "float[5,4] x => float[3,7] y", "y = CenterCropPad(x, s)", s=ints(3, 7))
c("center_crop_pad_of_axes", "float[2,5,4] x => float[2,5,2] y", "y = CenterCropPad <axes = [-1]> (x, s)", s=ints(2))

# Resize: axes one after the other.

RESIZED = "float[1,2,4,5] x => float[1,2,%d,%d] y"
for mode in ("nearest", "linear", "cubic"):
    for place in ("half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric", "half_pixel_symmetric"):
        c(f"resize_{mode}_{place}", RESIZED % (7, 8),
          f'y = Resize <mode = "{mode}", coordinate_transformation_mode = "{place}"> (x, , , s)', opset=19, s=ints(1, 2, 7, 8))
for rounding in ("floor", "ceil", "round_prefer_ceil"):
    c(f"resize_nearest_{rounding}", RESIZED % (8, 3), f'y = Resize <nearest_mode = "{rounding}"> (x, , s)',
      s=np.array([1, 1, 2, 0.7], np.float32))
c("resize_linear_smaller", RESIZED % (2, 3), 'y = Resize <mode = "linear"> (x, , s)', opset=13, s=np.array([1, 1, 0.6, 0.75], np.float32))
c("resize_cubic_inside", RESIZED % (9, 10), 'y = Resize <mode = "cubic", exclude_outside = 1, cubic_coeff_a = -0.5> (x, , , s)',
  opset=13, s=ints(1, 2, 9, 10))
c("resize_of_one_row", "float[1,2,1,5] x => float[1,2,3,1] y",
  'y = Resize <mode = "linear", coordinate_transformation_mode = "pytorch_half_pixel"> (x, , , s)', s=ints(1, 2, 3, 1))
c("resize_of_axes", RESIZED % (8, 5), 'y = Resize <mode = "linear", axes = [2]> (x, , s)', s=np.array([2], np.float32))
c("resize_antialias_larger", RESIZED % (8, 10), 'y = Resize <mode = "linear", antialias = 1> (x, , s)', s=np.array([1, 1, 2, 2], np.float32))
c("resize_of_opset_11", RESIZED % (8, 10), 'y = Resize <mode = "linear"> (x, r, s)', opset=11, r=np.zeros(0, np.float32),
  s=np.array([1, 1, 2, 2], np.float32))
c("resize_of_opset_10", RESIZED % (8, 15), 'y = Resize <mode = "nearest"> (x, s)', opset=10, s=np.array([1, 1, 2, 3], np.float32))
c("resize_nearest_smaller_of_opset_10", RESIZED % (2, 3), 'y = Resize <mode = "nearest"> (x, s)', opset=10,
  s=np.array([1, 1, 0.6, 0.7], np.float32))
c("resize_linear_of_opset_10", RESIZED % (8, 15), 'y = Resize <mode = "linear"> (x, s)', opset=10, s=np.array([1, 1, 2, 3], np.float32))
c("upsample_of_opset_9", RESIZED % (8, 15), 'y = Upsample <mode = "nearest"> (x, s)', opset=9, s=np.array([1, 1, 2, 3], np.float32))
c("upsample_of_opset_7", RESIZED % (8, 10), 'y = Upsample <mode = "nearest", scales = [1.0, 1.0, 2.0, 2.0]> (x)', opset=7)

# Elementwise ops and remainders.

c("mean_of_three", "float[2,3] a, float[3] b, float c => float[2,3] y", "y = Mean(a, b, c)")
c("mean_of_one", "float[2,3] a => float[2,3] y", "y = Mean(a)")
c("floor_of_integers", "int64[16] i => float[16] y", "f = Cast <to = 1> (i) g = Mul(f, k) y = Floor(g)", k=0.7, inputs={"i": list(range(16))})
c("floor_of_integers_twice", "int64[40] i => float[40] y", "f = Cast <to = 1> (i) g = Mul(f, k) h = Div(g, l) y = Floor(h)", k=0.1, l=0.3,
  inputs={"i": list(range(40))})
c("xor", "bool[4] a, bool[4] b => bool[4] y", "y = Xor(a, b)", inputs={"a": [0, 0, 1, 1], "b": [0, 1, 0, 1]})
c("mod_follows_the_divisor", "int64[8] a, int64[8] b => int64[8] y", "y = Mod(a, b)",
  inputs={"a": [7, -7, 7, -7, 6, -6, 0, 5], "b": [3, 3, -3, -3, 3, 3, -4, 5]})
c("mod_follows_the_dividend", "int64[6] a => int64[6] y", "y = Mod <fmod = 1> (a, b)", b=np.int64(3), inputs={"a": [7, -7, 6, -6, 0, 5]})

# Extremes by index.

for op in ("ArgMax", "ArgMin"):
    for last in (0, 1):
        c(f"{op.lower()}_ties_{last}", "float[3,5] x => int64[3,1] y", f"y = {op} <axis = -1, select_last_index = {last}> (x)",
          inputs={"x": [1, 2, 2, 1, 1, 0, 0, 0, 0, 0, 5, 4, 3, 4, 5]})
c("argmin_first_axis", "float[3,5] x => int64[5] y", "y = ArgMin <axis = 0, keepdims = 0> (x)")

# Reductions and running sums.

for op in ("ReduceL1", "ReduceL2", "ReduceLogSumExp", "ReduceSumSquare"):
    c(f"{op.lower()}_of_axes", "float[2,3,4] x => float[2,1,1] y", f"y = {op}(x, a)", a=ints(-1, 1))
    c(f"{op.lower()}_of_all", "float[2,3,4] x => float y", f"y = {op} <keepdims = 0> (x)")
    c(f"{op.lower()}_by_attribute", "float[2,3,4] x => float[2,4] y", f"y = {op} <axes = [-2], keepdims = 0> (x)", opset=13)
c("reducelogsum", "float[2,3] x => float[2] y", "p = Exp(x) y = ReduceLogSum <keepdims = 0> (p, a)", a=ints(1))
c("reducelogsumexp_far_out", "float[2,2] x => float[2,1] y", "y = ReduceLogSumExp(x, a)", a=ints(1), inputs={"x": [500, 499, -500, -499]})
for rank, shape in ((1, "5"), (2, "3,4"), (3, "2,4,3"), (5, "1,2,3,2,2")):
    for axis in {0, rank - 1, -rank // 2}:
        c(f"cumsum_rank_{rank}_axis_{axis}".replace("-", "minus_"), f"float[{shape}] x => float[{shape}] y", "y = CumSum(x, a)", a=np.int64(axis))
for exclusive, reverse in ((1, 0), (0, 1), (1, 1)):
    for kind in ("float", "int64"):
        c(f"cumsum_{kind}_exclusive_{exclusive}_reverse_{reverse}", f"{kind}[2,4,2] x => {kind}[2,4,2] y",
          f"y = CumSum <exclusive = {exclusive}, reverse = {reverse}> (x, a)", a=np.int64(1),
          inputs={"x": range(16)} if kind == "int64" else None)
c("cumsum_of_a_mask", "int64[2,5] x => int64[2,5] y", "y = CumSum(x, a)", a=np.int64(-1), inputs={"x": [1, 1, 1, 0, 0, 0, 1, 1, 1, 1]})

# Normalizations.

c("batch_normalization", "float[3,4] x => float[3,4] y", "y = BatchNormalization(x, s, b, m, v)",
  s=weights(4), b=weights(4, seed=2), m=weights(4, seed=3), v=np.abs(weights(4, seed=4)))
c("batch_normalization_of_pixels", "float[2,3,2,4] x => float[2,3,2,4] y", "y = BatchNormalization <epsilon = 0.1> (x, s, b, m, v)",
  s=weights(3), b=weights(3, seed=2), m=weights(3, seed=3), v=np.abs(weights(3, seed=4)))
c("instance_normalization", "float[2,3,4] x => float[2,3,4] y", "y = InstanceNormalization(x, s, b)", s=weights(3), b=weights(3, seed=2))
c("instance_normalization_of_pixels", "float[2,3,2,5] x => float[2,3,2,5] y", "y = InstanceNormalization <epsilon = 0.1> (x, s, b)", s=weights(3), b=weights(3, seed=2))
c("lp_normalization", "float[2,3,4] x => float[2,3,4] y", "y = LpNormalization(x)")
c("lp_normalization_of_absolutes", "float[2,3,4] x => float[2,3,4] y", "y = LpNormalization <axis = 1, p = 1> (x)")
c("lp_normalization_of_another_axis", "float[2,3,4] x => float[2,3,4] y", "y = LpNormalization <axis = 0> (x)")
c("lp_normalization_of_small_rows", "float[3,2] x => float[3,2] y", "y = LpNormalization(x)", inputs={"x": [300, 400, 3e-3, -4e-3, 0.3, 0.1]})
c("lp_normalization_of_small_rows_by_absolutes", "float[3,2] x => float[3,2] y", "y = LpNormalization <p = 1> (x)",
  inputs={"x": [300, 400, 3e-3, -4e-3, 0.3, 0.1]})
c("lp_normalization_of_zeros", "float[2,2] x => float[2,2] y", "y = LpNormalization(x)", inputs={"x": [0, 0, 3, -4]})
c("layer_normalization_of_two_axes", "float[2,3,4] x => float[2,3,4] y", "y = LayerNormalization <axis = 1> (x, s, b)", s=weights(3, 4), b=weights(3, 4, seed=2))
c("layer_normalization_of_all_axes", "float[3,4] x => float[3,4] y", "y = LayerNormalization <axis = 0> (x, s)", s=weights(3, 4))
c("layer_normalization_scale_of_columns", "float[2,3,4] x => float[2,3,4] y", "y = LayerNormalization <axis = -2> (x, s)", s=weights(1, 4))
c("layer_normalization_square", "float[1,4,4] x => float[1,4,4] y", "y = LayerNormalization(x, s, b)", s=weights(4), b=weights(1, 4, seed=2))
c("layer_normalization_statistics", "float[2,3,4] x => float[2,3,4] y, float[2,1,1] m, float[2,1,1] d",
  "y, m, d = LayerNormalization <axis = 1, epsilon = 0.1> (x, s)", s=weights(3, 4))
c("dropout_mask", "float[2,3] x => float[2,3] y, bool[2,3] m", "y, m = Dropout(x)")
c("rms_normalization", "float[2,3,4] x => float[2,3,4] y", "y = RMSNormalization(x, s)", s=weights(4), opset=23)
c("rms_normalization_of_two_axes", "float[2,3,4] x => float[2,3,4] y", "y = RMSNormalization <axis = 1, epsilon = 0.1> (x, s)", s=weights(3, 4), opset=23)

# Padding and blocks.

c("pad", "float[2,3] x => float[4,6] y", "y = Pad(x, p)", p=ints(1, 2, 1, 1))
c("pad_by_a_value", "float[2,3] x => float[2,7] y", "y = Pad(x, p, v)", p=ints(0, 0, 0, 4), v=-1.5)
c("pad_cuts", "float[2,5] x => float[4,3] y", "y = Pad(x, p)", p=ints(1, -1, 1, -1))
c("pad_cuts_and_pads", "float[6] x => float[6] y", "y = Pad(x, p)", p=ints(-2, 2))
c("pad_of_axes", "float[2,3,2] x => float[2,6,2] y", "y = Pad(x, p, , a)", p=ints(2, 1), a=ints(-2))
c("pad_reflect", "float[2,4] x => float[2,9] y", "y = Pad <mode = \"reflect\"> (x, p)", p=ints(0, 3, 0, 2))
c("pad_edge", "float[2,3] x => float[7,5] y", "y = Pad <mode = \"edge\"> (x, p)", p=ints(1, 2, 4, 0))
c("pad_wrap", "float[3,2] x => float[7,2] y", "y = Pad <mode = \"wrap\"> (x, p)", p=ints(1, 0, 3, 0), opset=19)
c("pad_integers", "int64[1,3] x => int64[1,5] y", "y = Pad(x, p)", p=ints(0, 0, 0, 2), inputs={"x": [4, 5, 6]})
c("pad_rank_5", "float[1,2,1,2,2] x => float[1,2,3,2,3] y", "y = Pad(x, p)", p=ints(0, 0, 1, 0, 0, 0, 0, 1, 0, 1))
c("depth_to_space", "float[2,8,2,3] x => float[2,2,4,6] y", "y = DepthToSpace <blocksize = 2> (x)")
c("depth_to_space_columns_first", "float[1,18,1,2] x => float[1,2,3,6] y", "y = DepthToSpace <blocksize = 3, mode = \"CRD\"> (x)")
c("space_to_depth", "float[2,3,4,6] x => float[2,12,2,3] y", "y = SpaceToDepth <blocksize = 2> (x)")

# Windows.


def conv(name, x, w, y, attributes="", bias=True, **more):
    kernel = weights(*w)
    given = {"w": kernel, "b": weights(w[0], seed=2)} if bias else {"w": kernel}
    c(f"conv_{name}", f"float[{x}] x => float[{y}] y", f"y = Conv <{attributes}> (x, {', '.join(given)})".replace("<>", ""), **given, **more)


conv("1d", "2,3,8", (4, 3, 3), "2,4,6")
conv("1d_padded", "2,3,8", (4, 3, 3), "2,4,8", "pads = [1, 1]")
conv("1d_whisper", "1,4,10", (6, 4, 3), "1,6,5", "pads = [1, 1], strides = [2]")
conv("1d_causal", "1,4,6", (4, 4, 3), "1,4,6", "pads = [2, 0]", bias=False)
conv("1d_dilated_depthwise", "1,4,9", (4, 1, 3), "1,4,9", "pads = [4, 0], dilations = [2], group = 4")
conv("patches", "2,3,8,8", (5, 3, 4, 4), "2,5,2,2", "strides = [4, 4]")
conv("patches_of_more_than_fit", "1,3,9,7", (5, 3, 4, 3), "1,5,2,2", "strides = [4, 3]")
conv("patches_in_groups", "1,4,4,6", (6, 2, 2, 3), "1,6,2,2", "strides = [2, 3], group = 2")
conv("of_one_pixel", "2,3,4,5", (4, 3, 1, 1), "2,4,4,5")
conv("of_one_pixel_strided", "2,3,4,5", (4, 3, 1, 1), "2,4,2,3", "strides = [2, 2]")
conv("same_size", "1,3,5,5", (4, 3, 3, 3), "1,4,5,5", "pads = [1, 1, 1, 1]")
conv("asymmetric", "2,2,5,6", (3, 2, 3, 2), "2,3,7,3", "pads = [1, 0, 3, 2], strides = [1, 2], dilations = [1, 2]")
conv("groups", "1,4,5,5", (6, 2, 3, 3), "1,6,3,3", "group = 2")
conv("depthwise", "1,3,5,5", (3, 1, 3, 3), "1,3,5,5", "group = 3, pads = [1, 1, 1, 1]", bias=False)
conv("depthwise_multiplied", "2,3,4,4", (6, 1, 2, 2), "2,6,3,3", "group = 3")
conv("auto_pad_upper", "1,2,5,6", (3, 2, 2, 3), "1,3,3,3", "auto_pad = \"SAME_UPPER\", strides = [2, 2]")
conv("auto_pad_lower", "1,2,5,6", (3, 2, 2, 3), "1,3,3,3", "auto_pad = \"SAME_LOWER\", strides = [2, 2]", opset=13)
conv("auto_pad_valid", "1,2,5,6", (3, 2, 2, 3), "1,3,4,4", "auto_pad = \"VALID\"")
conv("3d", "1,2,3,4,3", (2, 2, 2, 2, 2), "1,2,2,3,3", "pads = [0, 0, 1, 0, 0, 0]", opset=22)
c("conv_computed_weight", "float[1,2,4] x, float[3,2,2] w => float[1,3,3] y", "y = Conv(x, w)")
c("average_pool", "float[2,3,6,6] x => float[2,3,3,2] y", "y = AveragePool <kernel_shape = [2, 3], strides = [2, 3]> (x)")
c("average_pool_padded", "float[1,2,4,4] x => float[1,2,5,4] y", "y = AveragePool <kernel_shape = [3, 2], pads = [1, 0, 2, 1]> (x)")
c("average_pool_counting_padding", "float[1,2,4,4] x => float[1,2,5,4] y", "y = AveragePool <kernel_shape = [3, 2], pads = [1, 0, 2, 1], count_include_pad = 1> (x)")
c("average_pool_1d", "float[1,2,7] x => float[1,2,6] y", "y = AveragePool <kernel_shape = [2]> (x)", opset=13)
c("average_pool_dilated", "float[1,2,7] x => float[1,2,4] y", "y = AveragePool <kernel_shape = [2], dilations = [3]> (x)", opset=19)
c("average_pool_same", "float[1,1,5,5] x => float[1,1,3,3] y", "y = AveragePool <kernel_shape = [3, 3], strides = [2, 2], auto_pad = \"SAME_UPPER\"> (x)")
c("global_average_pool", "float[2,3,4,5] x => float[2,3,1,1] y", "y = GlobalAveragePool(x)")
c("global_average_pool_1d", "float[2,3,4] x => float[2,3,1] y", "y = GlobalAveragePool(x)")
c("max_pool", "float[2,3,6,6] x => float[2,3,3,2] y", "y = MaxPool <kernel_shape = [2, 3], strides = [2, 3]> (x)")
c("max_pool_padded", "float[1,2,4,4] x => float[1,2,5,4] y", "y = MaxPool <kernel_shape = [3, 2], pads = [1, 0, 2, 1]> (x)")
c("max_pool_of_negatives", "float[1,1,3] x => float[1,1,3] y", "y = MaxPool <kernel_shape = [3], pads = [1, 1]> (x)", inputs={"x": [-3, -5, -4]})
c("max_pool_indices_of_equal_elements", "float[1,1,5] x => float[1,1,5] y, int64[1,1,5] z", "y, z = MaxPool <kernel_shape = [3], pads = [1, 1]> (x)",
  inputs={"x": [2, 2, 2, 1, 1]})
c("max_pool_dilated", "float[1,2,7] x => float[1,2,4] y", "y = MaxPool <kernel_shape = [2], dilations = [3]> (x)", opset=22)
c("max_pool_same", "float[1,1,5,5] x => float[1,1,3,3] y", "y = MaxPool <kernel_shape = [3, 3], strides = [2, 2], auto_pad = \"SAME_LOWER\"> (x)", opset=13)
c("max_pool_3d", "float[1,2,3,4,3] x => float[1,2,2,3,2] y", "y = MaxPool <kernel_shape = [2, 2, 2]> (x)")
# The last window begins in the padding at the end, and is left out; or it does not.
for opset in (11, 13, 18, 19, 22):
    c(f"max_pool_ceil_in_padding_{opset}", "float[1,2,5] x => float[1,2,3] y", "y = MaxPool <kernel_shape = [2], strides = [2], pads = [1, 1], ceil_mode = 1> (x)", opset=opset)
    c(f"average_pool_ceil_in_padding_{opset}", "float[1,2,5] x => float[1,2,3] y", "y = AveragePool <kernel_shape = [2], strides = [2], pads = [1, 1], ceil_mode = 1> (x)", opset=opset)
    c(f"max_pool_ceil_2d_{opset}", "float[1,1,5,6] x => float[1,1,3,4] y", "y = MaxPool <kernel_shape = [2, 2], strides = [2, 2], pads = [1, 1, 1, 1], ceil_mode = 1> (x)", opset=opset)
    c(f"average_pool_ceil_2d_{opset}", "float[1,1,5,6] x => float[1,1,3,3] y", "y = AveragePool <kernel_shape = [2, 3], strides = [2, 3], pads = [1, 2, 1, 1], ceil_mode = 1> (x)", opset=opset)
c("average_pool_ceil_of_a_large_window", "float[1,2,5,1] x => float[1,2,5,1] y", "y = AveragePool <kernel_shape = [3, 2], strides = [1, 2], pads = [0, 0, 2, 0], ceil_mode = 1, count_include_pad = 1> (x)", opset=13)
c("max_pool_ceil_then_relu", "float[1,2,5] x => float[1,2,3] y", "p = MaxPool <kernel_shape = [2], strides = [2], pads = [1, 1], ceil_mode = 1> (x) y = Relu(p)")
c("global_max_pool", "float[2,3,4,5] x => float[2,3,1,1] y", "y = GlobalMaxPool(x)")

# Indices.

c("gather_elements", "float[3,4] x => float[3,2] y", "y = GatherElements <axis = 1> (x, i)", i=np.array([[0, -1], [2, 2], [3, 0]]))
c("gather_elements_first_axis", "float[3,2] x => float[4,1] y", "y = GatherElements(x, i)", i=np.array([[0], [2], [-3], [1]]))
c("gather_elements_rank_3", "float[2,3,2] x => float[1,2,2] y", "y = GatherElements <axis = -2> (x, i)", i=np.array([[[0, 2], [1, -1]]]))
c("gather_elements_rank_1", "float[4] x => float[3] y", "y = GatherElements(x, i)", i=ints(3, 0, -2))
c("gather_elements_computed", "float[3,4] x, int64[3,2] i => float[3,2] y", "y = GatherElements <axis = 1> (x, i)", inputs={"i": [0, -1, 2, 2, 3, 0]})
c("gather_nd", "float[2,3,4] x => float[2,4] y", "y = GatherND(x, i)", i=np.array([[0, 1], [1, -1]]))
c("gather_nd_elements", "float[2,3] x => float[2,2] y", "y = GatherND(x, i)", i=np.array([[[0, 1], [1, -1]], [[-1, 0], [0, 0]]]))
c("gather_nd_rows", "float[4,3] x => float[2,1,3] y", "y = GatherND(x, i)", i=np.array([[[2]], [[-1]]]))
c("gather_nd_batches", "float[3,4,2] x => float[3,2] y", "y = GatherND <batch_dims = 1> (x, i)", i=np.array([[0], [3], [-2]]))
c("gather_nd_computed", "float[3,4,2] x, int64[3,1] i => float[3,2] y", "y = GatherND <batch_dims = 1> (x, i)", inputs={"i": [0, 3, -2]})
c("gather_nd_computed_pairs", "float[2,3,2] x, int64[2,2] i => float[2,2] y", "y = GatherND(x, i)", inputs={"i": [0, -1, 1, 1]})
c("gather_nd_two_batches", "float[2,2,3,2] x, int64[2,2,1] i => float[2,2,2] y", "y = GatherND <batch_dims = 2> (x, i)", inputs={"i": [0, 2, -1, 1]})
c("scatter_elements", "float[3,4] x, float[3,2] u => float[3,4] y", "y = ScatterElements <axis = 1> (x, i, u)", i=np.array([[0, -1], [2, 1], [3, 0]]))
c("scatter_elements_first_axis", "float[3,2] x, float[2,1] u => float[3,2] y", "y = ScatterElements(x, i, u)", i=np.array([[-1], [0]]), opset=13)
c("scatter_nd", "float[4,3] x, float[2,3] u => float[4,3] y", "y = ScatterND(x, i, u)", i=np.array([[2], [-4]]))
c("scatter_nd_elements", "float[2,3] x, float[2] u => float[2,3] y", "y = ScatterND(x, i, u)", i=np.array([[0, 1], [1, -1]]), opset=13)
c("scatter_nd_slices", "float[2,2,3] x, float[1,2,3] u => float[2,2,3] y", "y = ScatterND(x, i, u)", i=np.array([[[1, 0], [0, 1]]]))
c("scatter_nd_of_integers", "int64[4] x => int64[4] y", "y = ScatterND(x, i, u)", i=np.array([[1], [3]]), u=ints(7, 8), inputs={"x": [1, 2, 3, 4]})
c("one_hot", " => float[2,3,4] y", "y = OneHot(i, d, v)", i=np.array([[0, 3, -1], [4, -5, 1]]), d=np.int64(4), v=np.array([0.5, 2.0]))
c("one_hot_computed", "int64[2,3] i => float[2,3,4] y", "y = OneHot(i, d, v)", d=np.int64(4), v=np.array([0.5, 2.0]), inputs={"i": [0, 3, -1, 2, -4, 1]})
c("one_hot_out_of_range", "int64[4] i => float[4,3] y", "y = OneHot(i, d, v)", d=np.int64(3), v=np.array([0.5, 2.0]), inputs={"i": [3, -4, 2, -3]})
c("one_hot_middle_axis", "int64[2,3] i => float[2,4,3] y", "y = OneHot <axis = 1> (i, d, v)", d=np.int64(4), v=np.array([0.5, 2.0]), inputs={"i": [0, 3, 3, 2, 1, 1]})
c("one_hot_first_axis", "int64[3] i => int64[4,3] y", "y = OneHot <axis = 0> (i, d, v)", d=ints(4), v=ints(0, 1), inputs={"i": [0, -4, 2]})
c("gather_nd_of_one_batch", "float[1,4,2] x, int64[1,1] i => float[1,2] y", "y = GatherND <batch_dims = 1> (x, i)", inputs={"i": [-2]})
c("gather_elements_of_one_row", "float[1,4] x, int64[1,3] i => float[1,3] y", "y = GatherElements <axis = 1> (x, i)", inputs={"i": [-2, 3, 0]})
c("scatter_elements_rank_1", "float[4] x, float[2] u => float[4] y", "y = ScatterElements(x, i, u)", i=ints(-1, 1))
c("eye_like", "float[2,4] x => float[2,4] y", "y = EyeLike <k = 1> (x)")
c("eye_like_of_integers", "float[3,3] x => int64[3,3] y", "y = EyeLike <dtype = 7, k = -1> (x)")

# Einsum.

for name, equation, shapes, result in (
        ("matrices", "ij,jk->ik", ("2,3", "3,4"), "2,4"),
        ("scores", "bqhd,bkhd->bhqk", ("2,3,2,4", "2,5,2,4"), "2,2,3,5"),
        ("mixture", "bhqk,bkhd->bqhd", ("1,2,3,4", "1,4,2,5"), "1,3,2,5"),
        ("transpose", "ijk->kij", ("2,3,4",), "4,2,3"),
        ("sum", "ijk->j", ("2,3,4",), "3"),
        ("sum_of_all", "ij->", ("2,3",), ""),
        ("outer", "i,j->ij", ("2", "3"), "2,3"),
        ("elementwise", "ij,ij->ij", ("2,3", "2,3"), "2,3"),
        ("inner", "i,i->", ("4", "4"), ""),
        ("with_a_sum", "ijk,jl->il", ("2,3,4", "3,2"), "2,2"),
        ("implied", "ba,ac", ("2,3", "3,4"), "2,4"),
        ("implied_transpose", "ba", ("2,3",), "3,2"),
        ("capitals", "aB,Bc->ac", ("2,3", "3,4"), "2,4"),
        ("spaces", " i j , j -> i ", ("2,3", "3"), "2"),
        ("three", "ij,jk,kl->il", ("2,3", "3,4", "4,2"), "2,2"),
        ("three_share", "bi,bij,bj->b", ("2,3", "2,3,4", "2,4"), "2"),
        ("ellipsis", "...ij,...jk->...ik", ("2,2,3,4", "1,2,4,2"), "2,2,3,2"),
        ("ellipsis_broadcasts", "...i,i...->...", ("2,3", "3,2"), "2"),
        ("ellipsis_implied", "...ij,jk", ("2,3,4", "4,2"), "2,3,2"),
        ("ellipsis_in_the_middle", "i...j->j...i", ("2,5,3",), "3,5,2"),
        ("diagonal", "ii->i", ("3,3",), "3"),
        ("trace", "bii->b", ("2,3,3",), "2"),
        ("rank_5", "abcde,edc->ab", ("2,1,2,3,2", "2,3,2"), "2,1"),
        ("relative_positions", "bhid,ijd->bhij", ("1,2,3,4", "3,3,4"), "1,2,3,3")):
    names = "abc"[:len(shapes)]
    given = ", ".join(f"float[{s}] {n}" for s, n in zip(shapes, names))
    c(f"einsum_{name}", f"{given} => float[{result}] y".replace("float[]", "float"), f"y = Einsum <equation = \"{equation}\"> ({', '.join(names)})")

# Attention and rotary embeddings of the standard.

for name, attributes in (("half", ""), ("interleaved", "interleaved = 1"), ("partial", "rotary_embedding_dim = 4"),
                         ("partial_interleaved", "rotary_embedding_dim = 4, interleaved = 1")):
    width = 2 if "partial" in name else 3
    angles = {"cos": weights(5, width), "sin": weights(5, width, seed=2)}
    more = f"{attributes}, num_heads = 2".strip(", ")
    c(f"rotary_{name}", "float[2,2,3,6] x => float[2,2,3,6] y", f"y = RotaryEmbedding <{attributes}> (x, cos, sin, p)".replace("<>", ""),
      opset=23, p=np.array([[0, 1, 2], [4, 2, 3]]), **angles)
    c(f"rotary_{name}_of_rows", "float[2,3,12] x => float[2,3,12] y", f"y = RotaryEmbedding <{more}> (x, cos, sin, p)",
      opset=23, p=np.array([[0, 1, 2], [4, 2, 3]]), **angles)
    c(f"contrib_rotary_{name}", "float[2,3,12] x => float[2,3,12] y", f"y = com.microsoft.RotaryEmbedding <{more}> (x, p, cos, sin)",
      p=np.array([[0, 1, 2], [2, 3, 4]]), **angles)
c("contrib_rotary_from_an_offset", "float[2,2,3,6] x => float[2,2,3,6] y", "y = com.microsoft.RotaryEmbedding(x, p, cos, sin)",
  p=ints(2), cos=weights(6, 3), sin=weights(6, 3, seed=2))
c("contrib_rotary_without_heads", "float[2,3,12] x => float[2,3,12] y", "y = com.microsoft.RotaryEmbedding(x, p, cos, sin)",
  p=ints(0), cos=weights(6, 3), sin=weights(6, 3, seed=2))
c("rotary_without_positions", "float[2,2,3,6] x => float[2,2,3,6] y", "y = RotaryEmbedding(x, cos, sin)",
  opset=23, cos=weights(2, 3, 3), sin=weights(2, 3, 3, seed=2))

QKV = "float[2,3,8] q, float[2,5,8] k, float[2,5,8] v"
for name, attributes, mask in (("plain", "", None), ("causal", "is_causal = 1", None), ("scaled", "scale = 0.3", None),
                               ("softcap", "softcap = 2.0", None), ("biased", "", weights(3, 5)),
                               ("masked", "", np.tril(np.ones((3, 5), bool), 1))):
    c(f"attention_{name}", f"{QKV} => float[2,3,8] y",
      f"y = Attention <q_num_heads = 2, kv_num_heads = 2, {attributes}> (q, k, v{', m' if mask is not None else ''})".replace(", >", ">"),
      opset=23, **({} if mask is None else {"m": mask}))
c("attention_grouped", "float[1,3,16] q, float[1,3,8] k, float[1,3,8] v => float[1,3,16] y",
  "y = Attention <q_num_heads = 4, kv_num_heads = 2, is_causal = 1> (q, k, v)", opset=23)
c("attention_in_heads", "float[1,4,3,2] q, float[1,2,5,2] k, float[1,2,5,6] v => float[1,4,3,6] y", "y = Attention(q, k, v)", opset=23)

# Ops of onnxruntime's transformer optimizer.

MS = "com.microsoft."
c("contrib_gelu", "float[2,9] x => float[2,9] y", f"y = {MS}Gelu(x)")
c("contrib_bias_gelu", "float[2,3,4] x => float[2,3,4] y", f"y = {MS}BiasGelu(x, b)", b=weights(4))
c("contrib_fast_gelu", "float[2,9] x => float[2,9] y", f"y = {MS}FastGelu(x)")
c("contrib_fast_gelu_with_bias", "float[2,4] x => float[2,4] y", f"y = {MS}FastGelu(x, b)", b=weights(4))
c("contrib_quick_gelu", "float[2,9] x => float[2,9] y", f"y = {MS}QuickGelu(x)")
c("contrib_quick_gelu_alpha", "float[2,9] x => float[2,9] y", f"y = {MS}QuickGelu <alpha = 0.7> (x)")
c("contrib_simplified_norm", "float[2,3,4] x => float[2,3,4] y", "y = SimplifiedLayerNormalization(x, s)", s=weights(4))
c("contrib_simplified_norm_epsilon", "float[2,3,4] x => float[2,3,4] y", "y = SimplifiedLayerNormalization <axis = -1, epsilon = 0.5, stash_type = 1> (x, s)", s=weights(4), opset=14)
c("contrib_norm_of_an_old_opset", "float[2,3,4] x => float[2,3,4] y", "y = LayerNormalization <axis = -1, epsilon = 0.01> (x, s, b)", s=weights(4), b=weights(4, seed=2), opset=13)
c("contrib_skip_norm", "float[2,3,4] x, float[2,3,4] z => float[2,3,4] y", f"y = {MS}SkipLayerNormalization(x, z, s, b)", s=weights(4), b=weights(4, seed=2))
c("contrib_skip_norm_sum", "float[2,3,4] x, float[2,3,4] z => float[2,3,4] y, float[2,3,4] t",
  f"y, m, d, t = {MS}SkipLayerNormalization <epsilon = 0.01> (x, z, s, b, a)".replace("y, m, d, t", "y, , , t"), s=weights(4), b=weights(4, seed=2), a=weights(4, seed=3))
c("contrib_skip_norm_broadcast", "float[2,3,4] x, float[1,3,4] z => float[2,3,4] y", f"y = {MS}SkipLayerNormalization(x, z, s)", s=weights(4))
c("contrib_skip_simplified_norm", "float[2,3,4] x, float[2,3,4] z => float[2,3,4] y, float[2,3,4] t",
  f"y, , , t = {MS}SkipSimplifiedLayerNormalization <epsilon = 0.01> (x, z, s, a)", s=weights(4), a=weights(4, seed=3))
c("contrib_fused_matmul", "float[2,3,4] a, float[2,5,4] b => float[2,3,5] y", f"y = {MS}FusedMatMul <alpha = 0.125, transB = 1> (a, b)")
c("contrib_fused_matmul_left", "float[4,3] a, float[4,5] b => float[3,5] y", f"y = {MS}FusedMatMul <transA = 1> (a, b)")
EMBED = dict(word=weights(9, 4), position=weights(6, 4, seed=2), segment=weights(2, 4, seed=3), s=weights(4, seed=4), b=weights(4, seed=5))
c("contrib_embed", "int32[2,3] ids, int32[2,3] kinds => float[2,3,4] y, float[2,3,4] t",
  f"y, m, t = {MS}EmbedLayerNormalization <epsilon = 0.01> (ids, kinds, word, position, segment, s, b)",
  inputs={"ids": [1, 8, 0, 2, 2, 7], "kinds": [0, 1, 1, 0, 0, 1]}, **EMBED)
c("contrib_embed_masked", "int32[2,3] ids, int32[2,3] mask => float[2,3,4] y, int32[2] m",
  f"y, m = {MS}EmbedLayerNormalization <epsilon = 0.01> (ids, , word, position, , s, b, mask)",
  inputs={"ids": [1, 8, 0, 2, 2, 7], "mask": [1, 1, 0, 1, 1, 1]}, **EMBED)
c("contrib_embed_positions", "int32[2,3] ids => float[2,3,4] y",
  f"y, m = {MS}EmbedLayerNormalization <epsilon = 0.01> (ids, , word, position, , s, b, , p)",
  inputs={"ids": [1, 8, 0, 2, 2, 7]}, p=np.array([[5, 4, 3], [0, 0, 2]], np.int32), **EMBED)
MASKS = {"": None, "_masked": np.array([[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]], np.int32), "_lengths": np.array([2, 5], np.int32),
         "_mask_per_query": np.tril(np.ones((2, 5, 5), np.int32), 1), "_no_keys": np.array([[0, 0, 0, 0, 0], [0, 1, 1, 1, 1]], np.int32)}
for name, mask in MASKS.items():
    given = {} if mask is None else {"m": mask}
    if name == "_no_keys":  # single precision keeps little of a score beside -10000
        given["tolerance"] = 1e-3
    for causal in (0, 1):
        kind = name + ("_causal" if causal else "")
        c(f"contrib_attention{kind}", "float[2,5,6] x => float[2,5,8] y",
          f"y = {MS}Attention <num_heads = 2, unidirectional = {causal}> (x, w, b{', m' if given else ''})", w=weights(6, 24), b=weights(24, seed=2), **given)
        if mask is None or mask.ndim != 3:
            c(f"contrib_mha{kind}", "float[2,5,8] q, float[2,5,8] k, float[2,5,8] v => float[2,5,8] y",
              f"y = {MS}MultiHeadAttention <num_heads = 2, unidirectional = {causal}> (q, k, v, b{', m' if given else ''})", b=weights(24, seed=2), **given)
c("contrib_attention_sizes", "float[1,3,6] x => float[1,3,4] y", f"y = {MS}Attention <num_heads = 2, qkv_hidden_sizes = [8, 8, 4], scale = 0.3> (x, w, b)", w=weights(6, 20), b=weights(20, seed=2))
c("contrib_attention_biased", "float[2,3,6] x, float[2,2,3,3] a => float[2,3,8] y",
  f"y = {MS}Attention <num_heads = 2> (x, w, b, m, , a)", w=weights(6, 24), b=weights(24, seed=2), m=np.array([[1, 1, 0], [1, 1, 1]], np.int32))
c("contrib_attention_filter", "float[2,5,6] x => float[2,5,8] y",
  f"y = {MS}Attention <num_heads = 2, mask_filter_value = -1.5> (x, w, b, m)", w=weights(6, 24), b=weights(24, seed=2), m=MASKS["_masked"])
c("contrib_mha_cross", "float[2,3,8] q, float[2,5,8] k, float[2,5,4] v => float[2,3,4] y", f"y = {MS}MultiHeadAttention <num_heads = 2, scale = 0.4> (q, k, v)")
for kind, given, values in (("", "", {}), ("_masked", ", , m", {"m": np.array([[1, 1, 0, 1, 1], [1, 1, 1, 1, 0]], np.int32)}),
                            ("_biased", ", , , a", {"a": weights(1, 2, 3, 5)})):
    c(f"contrib_mha_causal_cross{kind}", "float[2,3,8] q, float[2,5,8] k, float[2,5,8] v => float[2,3,8] y",
      f"y = {MS}MultiHeadAttention <num_heads = 2, unidirectional = 1> (q, k, v{given})", **values)
c("contrib_mha_causal_one_query", "float[2,1,8] q, float[2,5,8] k, float[2,5,8] v => float[2,1,8] y",
  f"y = {MS}MultiHeadAttention <num_heads = 2, unidirectional = 1> (q, k, v)")
c("contrib_mha_causal_fewer_keys", "float[2,5,8] q, float[2,3,8] k, float[2,3,8] v => float[2,5,8] y",
  f"y = {MS}MultiHeadAttention <num_heads = 2, unidirectional = 1> (q, k, v)")
c("contrib_mha_causal_keys_in_heads", "float[2,3,8] q, float[2,2,5,4] k, float[2,2,5,4] v => float[2,3,8] y",
  f"y = {MS}MultiHeadAttention <num_heads = 2, unidirectional = 1> (q, k, v)")
c("contrib_mha_biased", "float[2,3,8] q, float[2,5,8] k, float[2,5,8] v => float[2,3,8] y",
  f"y = {MS}MultiHeadAttention <num_heads = 2> (q, k, v, , , a)", a=weights(1, 2, 3, 5))
c("contrib_mha_keys_in_heads", "float[2,3,8] q, float[2,2,5,4] k, float[2,2,5,4] v => float[2,3,8] y", f"y = {MS}MultiHeadAttention <num_heads = 2> (q, k, v)")

GQA = "float[2,5,64] q, float[2,5,32] k, float[2,5,32] v"
LENGTHS = {"n": np.array([4, 4], np.int32), "t": np.array(5, np.int32)}
TURNS = {"cos": weights(7, 8), "sin": weights(7, 8, seed=2)}
for name, attributes, caches in (
        ("plain", "", {}), ("scaled", "scale = 0.3", {}), ("softcap", "softcap = 1.5", {}),
        ("window", "local_window_size = 2", {}), ("window_softcap", "local_window_size = 3, softcap = 1.5", {}),
        ("rotary", "do_rotary = 1", TURNS), ("rotary_interleaved", "do_rotary = 1, rotary_interleaved = 1", TURNS)):
    c(f"contrib_gqa_{name}", f"{GQA} => float[2,5,64] y",
      f"y, pk, pv = {MS}GroupQueryAttention <num_heads = 4, kv_num_heads = 2, {attributes}> (q, k, v, , , n, t{', cos, sin' if caches else ''})".replace(", >", ">"),
      **LENGTHS, **caches)
c("contrib_gqa_packed", "float[2,5,128] q => float[2,5,64] y", f"y, pk, pv = {MS}GroupQueryAttention <num_heads = 4, kv_num_heads = 2> (q, , , , , n, t)", **LENGTHS)
c("contrib_gqa_present", f"{GQA} => float[2,5,64] y, float[2,2,5,16] pk, float[2,2,5,16] pv",
  f"y, pk, pv = {MS}GroupQueryAttention <num_heads = 4, kv_num_heads = 2> (q, k, v, , , n, t)", **LENGTHS)
c("contrib_mha_present", "float[2,3,8] q, float[2,5,8] k, float[2,5,8] v => float[2,3,8] y, float[2,2,5,4] pk, float[2,2,5,4] pv",
  f"y, pk, pv = {MS}MultiHeadAttention <num_heads = 2> (q, k, v)")
for opset in (23, 24):
    c(f"attention_softcap_causal_{opset}", f"{QKV} => float[2,3,8] y",
      "y = Attention <q_num_heads = 2, kv_num_heads = 2, softcap = 2.0, is_causal = 1> (q, k, v)", opset=opset)
    c(f"attention_softcap_masked_{opset}", f"{QKV} => float[2,3,8] y",
      "y = Attention <q_num_heads = 2, kv_num_heads = 2, softcap = 2.0> (q, k, v, m)", opset=opset, m=np.tril(np.ones((3, 5), bool), 1))
    c(f"attention_present_{opset}", f"{QKV} => float[2,3,8] y, float[2,2,5,4] pk, float[2,2,5,4] pv",
      "y, pk, pv = Attention <q_num_heads = 2, kv_num_heads = 2> (q, k, v)", opset=opset)
c("attention_softcap_grouped", "float[1,4,3,2] q, float[1,2,5,2] k, float[1,2,5,6] v => float[1,4,3,6] y",
  "y = Attention <softcap = 1.5, scale = 0.9> (q, k, v, m)", opset=24, m=weights(4, 3, 5))

for op, given in (("Acosh", [1.0, 1.5, 4.0, 20.0]), ("Asinh", [-3.0, 0.0, 0.25, 20.0]), ("Atanh", [-0.9, 0.0, 0.25, 0.99]),
                  ("Cosh", [-3.0, 0.0, 0.25, 5.0]), ("Sinh", [-3.0, 0.0, 0.25, 5.0]), ("Tan", [-1.5, 0.0, 0.25, 4.0])):
    c(op.lower(), "float[4] x => float[4] y", f"y = {op}(x)", inputs={"x": given})

# Of quantized files.
def quantized(dtype, *shape, seed=1):
    info = np.iinfo(dtype)
    return np.random.default_rng(seed).integers(max(info.min, -1000), min(info.max, 1000), shape, dtype=dtype, endpoint=True)


TIES = [-1e9, -32.25, -0.75, -0.25, 0.0, 0.25, 0.75, 1.25, 31.5, 1e9]
for dtype, zero in (("int8", -3), ("uint8", 128), ("int16", 5), ("uint16", 700)):
    c(f"quantize_to_{dtype}", f"float[10] x => {dtype}[10] y", "y = QuantizeLinear(x, s, z)", opset=21, inputs={"x": TIES}, s=0.5,
      z=np.array(zero, dtype))
    c(f"dequantize_{dtype}", "float[3,4] x => float[3,4] y", "w = DequantizeLinear(q, s, z) y = Add(x, w)", opset=21, s=0.25,
      z=np.array(zero, dtype), q=quantized(dtype, 3, 4))
c("quantize_without_zero_point", "float[10] x => uint8[10] y", "y = QuantizeLinear(x, s)", inputs={"x": TIES}, s=0.5)
c("quantize_to_output_type", "float[10] x => int8[10] y", "y = QuantizeLinear <output_dtype = 3> (x, s)", opset=21, inputs={"x": TIES}, s=0.5)
c("quantize_per_axis", "float[2,3] x => int8[2,3] y", "y = QuantizeLinear <axis = 0> (x, s, z)", opset=13, s=np.array([0.5, 0.01], np.float32),
  z=np.array([1, -2], np.int8))
c("quantize_of_opset_10", "float[2,3] x => float[2,3] y", "q = QuantizeLinear(x, s, z) y = DequantizeLinear(q, s, z)", opset=10, s=0.02,
  z=np.array(7, np.uint8))
c("quantize_and_back", "float[2,3] x => float[2,3] y", "q = QuantizeLinear(x, s, z) y = DequantizeLinear(q, s, z)", opset=17, s=0.01,
  z=np.array(7, np.int8))
c("dequantize_per_axis", "float[2,3] x => float[2,3] y", "w = DequantizeLinear <axis = -1> (q, s, z) y = Mul(x, w)", opset=13, q=quantized("int8", 2, 3),
  s=np.array([0.5, 0.01, 3], np.float32), z=np.array([1, 0, -7], np.int8))
c("dequantize_in_blocks", "float[2,5] x => float[2,5] y", "w = DequantizeLinear <axis = 1, block_size = 2> (q, s, z) y = Mul(x, w)", opset=21,
  q=quantized("int8", 2, 5), s=np.abs(weights(2, 3)), z=quantized("int8", 2, 3, seed=2))
c("dequantize_bias", "float[2,3] x => float[2,3] y", "b = DequantizeLinear <axis = 0> (q, s) y = Add(x, b)", opset=13, q=np.array([100000, -7, 12], np.int32),
  s=np.array([1e-5, 0.1, 0.2], np.float32))

# Products of quantized operands; what they give is whole reals.

c("matmul_integer", "float[2,3] x => float[2,4] y", "q = QuantizeLinear(x, s, z) p = MatMulInteger(q, w, z) y = Cast <to = 1> (p)", opset=13,
  s=0.02, z=np.uint8(120), w=quantized("int8", 3, 4))
c("matmul_integer_of_zero_points", "float[2,3] x => float[2,4] y",
  "q = QuantizeLinear(x, s, z) p = MatMulInteger(q, w, z, v) y = Cast <to = 1> (p)", opset=13, s=0.02, z=np.uint8(120),
  w=quantized("uint8", 3, 4), v=np.array([1, 128, 250, 0], np.uint8))
c("qlinear_matmul", "float[2,3] x => float[2,4] y",
  "q = QuantizeLinear(x, s, z) p = QLinearMatMul(q, s, z, w, t, v, r, z) y = DequantizeLinear(p, r, z)", opset=13, s=0.02,
  z=np.uint8(120), w=quantized("int8", 3, 4), t=0.01, v=np.int8(3), r=0.05)
c("qlinear_conv", "float[1,2,5,5] x => float[1,4,3,3] y",
  "q = QuantizeLinear(x, s, z) p = QLinearConv <strides = [2, 2], pads = [1, 1, 1, 1]> (q, s, z, w, t, v, r, z, b) y = DequantizeLinear(p, r, z)",
  opset=13, s=0.02, z=np.uint8(120), w=quantized("int8", 4, 2, 3, 3), t=np.array([0.01, 0.02, 0.005, 0.01], np.float32), v=np.zeros(4, np.int8),
  r=0.05, b=np.array([10, -20, 300, 0], np.int32))
c("conv_integer", "float[1,2,5,5] x => float[1,3,3,3] y",
  "q = QuantizeLinear(x, s, z) p = ConvInteger(q, w, z) y = Cast <to = 1> (p)", opset=13, s=0.02, z=np.uint8(120), w=quantized("uint8", 3, 2, 3, 3))

# Transposed convolutions.

for name, signature, attributes, weight in (
        ("", "float[1,2,4] x => float[1,3,6] y", "", (2, 3, 3)),
        ("_strided", "float[2,2,3,3] x => float[2,3,7,9] y", "<strides = [2, 3]>", (2, 3, 3, 3)),
        ("_padded", "float[1,2,4,4] x => float[1,3,7,7] y", "<strides = [2, 2], pads = [1, 1, 1, 1]>", (2, 3, 3, 3)),
        ("_output_padded", "float[1,2,4,4] x => float[1,3,8,8] y", "<strides = [2, 2], pads = [1, 1, 1, 1], output_padding = [1, 1]>", (2, 3, 3, 3)),
        ("_dilated", "float[1,2,4] x => float[1,3,8] y", "<dilations = [2]>", (2, 3, 3)),
        ("_grouped", "float[1,4,4] x => float[1,6,9] y", "<group = 2, strides = [2]>", (4, 3, 3)),
        ("_same", "float[1,2,4,4] x => float[1,3,8,8] y", '<strides = [2, 2], auto_pad = "SAME_UPPER">', (2, 3, 3, 3)),
        ("_to_shape", "float[1,2,3,3] x => float[1,3,10,8] y", "<strides = [3, 2], output_shape = [10, 8]>", (2, 3, 3, 3)),
        ("_more_padded_than_the_kernel", "float[1,2,6] x => float[1,3,2] y", "<pads = [3, 3]>", (2, 3, 3))):
    c(f"conv_transpose{name}", signature, f"y = ConvTranspose {attributes} (x, w)", opset=11, w=weights(*weight))
for mode in ("UPPER", "LOWER"):
    c(f"conv_transpose_same_{mode.lower()}_of_a_small_kernel", "float[1,2,4,3] x => float[1,1,7,8] y", f"y = ConvTranspose <strides = [2, 3], auto_pad = \"SAME_{mode}\"> (x, w)", opset=22, w=weights(2, 1, 1, 2))
c("conv_transpose_with_bias", "float[1,2,4] x => float[1,3,6] y", "y = ConvTranspose(x, w, b)", opset=22, w=weights(2, 3, 3), b=weights(3, seed=2))

# Choices.

c("top_k", "float[3,5] x => float[3,2] y, int64[3,2] z", "y, z = TopK(x, k)", k=ints(2))
c("top_k_smallest_of_an_axis", "float[4,3] x => float[2,3] y, int64[2,3] z", "y, z = TopK <axis = 0, largest = 0> (x, k)", k=ints(2))
c("top_k_of_equal_elements", "float[6] x => float[3] y, int64[3] z", "y, z = TopK(x, k)", inputs={"x": [1, 2, 2, 0, 2, 1]}, k=ints(3))
c("top_k_of_opset_10", "float[3,5] x => float[3,4] y", "y, z = TopK(x, k)", opset=10, k=ints(4))
c("hardmax", "float[3,5] x => float[3,5] y", "y = Hardmax(x)")
c("hardmax_of_an_axis", "float[3,5] x => float[3,5] y", "y = Hardmax <axis = 0> (x)", inputs={"x": [1, 2, 3, 1, 0, 1, 3, 2, 1, 1, 0, 3, 3, 2, 1]})
c("compress", "float[3,2] x => float[2,2] y", "y = Compress <axis = 0> (x, k)", k=np.array([True, False, True]))
c("compress_flat", "float[3,2] x => float[2] y", "y = Compress(x, k)", k=np.array([False, True, False, False, True]))
c("non_zero", "float[3] x => float[2,3] y", "n = NonZero(k) m = Cast <to = 1> (n) y = Add(m, x)", k=np.array([[1, 0, 1], [0, 5, 0]], np.int64))
c("reverse_sequence", "float[4,3,2] x => float[4,3,2] y", "y = ReverseSequence(x, k)", k=ints(4, 1, 3))
c("reverse_sequence_batch_first", "float[3,4] x => float[3,4] y", "y = ReverseSequence <batch_axis = 0, time_axis = 1> (x, k)", k=ints(2, 0, 4))
for reduction in ("add", "mul", "max", "min"):
    c(f"scatter_nd_{reduction}", "float[4,2] x, float[3,2] u => float[4,2] y", f'y = ScatterND <reduction = "{reduction}"> (x, i, u)',
      i=ints(1, 3, 1).reshape(3, 1))
    c(f"scatter_elements_{reduction}", "float[2,4] x, float[2,3] u => float[2,4] y",
      f'y = ScatterElements <axis = 1, reduction = "{reduction}"> (x, i, u)', i=ints(1, 1, -1, 0, 2, 0).reshape(2, 3))

# Other functions.

c("cast_like_wraps", "int32[4] x => int32[4] y", "n = CastLike(x, k) y = Cast <to = 6> (n)", k=np.int8(0), inputs={"x": [300, -129, 127, -128]})
c("mod_of_reals", "float[6] x => float[6] y", "y = Mod <fmod = 1> (x, k)", inputs={"x": [5.5, -5.5, 0.25, -0.25, 9, -9]}, k=2.0)
c("is_inf", "float[3] x => bool[3] y", "y = IsInf(x)", opset=20)
c("reduce_prod", "float[2,5,3] x => float[2,3] y", "y = ReduceProd <keepdims = 0> (x, a)", a=ints(1))
c("reduce_prod_of_all", "float[2,3] x => float[1,1] y", "y = ReduceProd(x)", opset=13)
c("lp_pool", "float[1,2,6,6] x => float[1,2,3,3] y", "y = LpPool <kernel_shape = [2, 2], strides = [2, 2], p = 3> (x)", tolerance=1e-5)
c("lp_pool_padded", "float[1,2,5] x => float[1,2,5] y", "y = LpPool <kernel_shape = [3], pads = [1, 1]> (x)", tolerance=1e-5)
c("global_lp_pool", "float[1,2,4,4] x => float[1,2,1,1] y", "y = GlobalLpPool(x)", tolerance=1e-5)
c("lrn", "float[1,7,3,3] x => float[1,7,3,3] y", "y = LRN <size = 3, alpha = 0.1, beta = 0.6, bias = 2.0> (x)", tolerance=1e-5)

# Fourier transforms.

c("dft", "float[1,6,1] x => float[1,6,2] y", "y = DFT <axis = 1> (x)", opset=17, tolerance=1e-5)
c("dft_of_an_axis", "float[2,5,4,2] x => float[2,5,4,2] y", "y = DFT(x, , a)", opset=20, tolerance=1e-5, a=np.int64(1))
c("dft_one_sided", "float[1,8,1] x => float[1,5,2] y", "y = DFT <onesided = 1> (x, , a)", opset=20, tolerance=1e-5, a=np.int64(1))
c("dft_of_a_length", "float[1,6,1] x => float[1,9,2] y", "y = DFT(x, n, a)", opset=20, tolerance=1e-5, n=np.int64(9), a=np.int64(1))
c("dft_inverse", "float[1,6,2] x => float[1,6,2] y", "y = DFT <inverse = 1> (x, , a)", opset=20, tolerance=1e-5, a=np.int64(1))
c("stft", "float[1,16,1] x => float[1,4,4,2] y", "y = STFT(x, s, w)", opset=17, tolerance=1e-5, s=np.int64(3), w=weights(6))

# Branches of a known condition.

c("if_of_a_shape", "float[2,3] x => float[2,3] y",
  "s = Shape(x) n = Gather(s, i) c = Equal(n, k) y = If (c) <then_branch = g () => (float[2,3] t) { t = Add(x, x) }, "
  "else_branch = h () => (float[2,3] t) { t = Neg(x) }>", i=np.int64(0), k=np.int64(2))
c("if_of_a_constant_in_another", "float[2,3] x => float[2,3] y",
  "z = If (c) <then_branch = g () => (float[2,3] t) { t = Exp(x) }, else_branch = h () => (float[2,3] t) { "
  "t = If (d) <then_branch = i () => (float[2,3] u) { v = Neg(x) u = Relu(v) }, else_branch = j () => (float[2,3] u) { u = Abs(x) }> }> y = Add(z, x)",
  c=np.array(False), d=np.array(True))
# Of the types that the file says: what is later in the file may have another one of the name.
c("if_with_a_name_of_another_type", "uint8[3] x, int32[3] w => int32[3] y",
  "r = If (c) <then_branch = g () => (uint8[3] q) { t = Identity(x) q = BitwiseNot(t) }, else_branch = h () => (uint8[3] q) { q = Identity(x) }> "
  "t = Identity(w) a = Cast <to = 6> (r) y = Add(a, t)", inputs={"x": [1, 2, 255], "w": [3, 4, 5]}, c=np.array(True))

# Integers of few bits wrap around.

for dtype, a, b in (("uint8", [3, 5, 200, 7], [5, 3, 100, 9]), ("int8", [100, -100, 5, -128], [100, 100, 7, 1]),
                    ("uint16", [3, 5, 60000, 7], [5, 3, 10000, 9]), ("int16", [300, -300, 5, 32767], [300, 300, 7, 1]),
                    ("uint32", [3, 5, 4000000000, 7], [5, 3, 1000000000, 9]), ("int32", [70000, -70000, 5, 2147483647], [70000, 70000, 7, 1])):
    for op in ("Add", "Sub", "Mul"):
        c(f"{op.lower()}_of_{dtype}", f"{dtype}[4] a, {dtype}[4] b => {dtype}[4] y", f"y = {op}(a, b)", inputs={"a": a, "b": b})
    c(f"constants_of_{dtype}", "int64[4] x => int64[4] y", "s = Mul(a, b) c = Cast <to = 7> (s) y = Add(x, c)", inputs={"x": [1, 2, 3, 4]},
      a=np.array(a, dtype), b=np.array(b, dtype))
c("neg_of_int8", "int8[4] a => int8[4] y", "y = Neg(a)", inputs={"a": [-128, 3, -4, 5]})
c("abs_of_int8", "int8[4] a => int8[4] y", "y = Abs(a)", inputs={"a": [-128, 3, -4, 5]})
c("sub_of_uint8_in_a_branch", "uint8[4] a, uint8[4] b => int64[4] y",
  "r = If (c) <then_branch = g () => (uint8[4] q) { t = Identity(a) q = Sub(t, b) }, else_branch = h () => (uint8[4] q) { q = Identity(a) }> "
  "y = Cast <to = 7> (r)", inputs={"a": [3, 5, 200, 7], "b": [5, 3, 100, 9]}, c=np.array(True))
c("sum_of_quantized_activations", "float[4] x => float[4] y", "q = QuantizeLinear(x, s, z) t = Add(q, q) y = DequantizeLinear(t, s, z)",
  inputs={"x": [1, -1, 40, 100]}, s=0.5, z=np.uint8(3))
c("cast_of_a_constant_to_uint32", "int64[2] x => int64[2] y", "d = Cast <to = 12> (a) f = Cast <to = 7> (d) y = Add(x, f)", inputs={"x": [1, 2]},
  a=ints(-1))
for to in (6, 7):  # as the buckets of T5's distances: the logarithm of zero is chosen nowhere
    c(f"cast_of_minus_infinity_to_{to}", "float[5] x => float[5] y",
      f"f = Cast <to = 1> (d) l = Log(f) g = Cast <to = {to}> (l) h = Cast <to = {to}> (d) a = Add(g, two) b = Min(a, most)"
      " small = Less(h, two) i = Where(small, h, b) j = Cast <to = 7> (i) k = Gather(t, j) y = Add(x, k)",
      d=np.arange(5), two=np.array(2, {6: np.int32, 7: np.int64}[to]), most=np.array(3, {6: np.int32, 7: np.int64}[to]), t=weights(4))
    c(f"least_integer_of_{to}", "float[5] x => float[5] y",
      f"l = Log(f) g = Cast <to = {to}> (l) b = Equal(g, least) n = Neg(x) y = Where(b, n, x)",
      f=np.arange(5).astype(np.float32), least=np.array([-2**31], np.int32) if to == 6 else np.array([-2**63]))
c("cast_of_reals_to_uint8", "float[3] x => float[3] y", "d = Cast <to = 2> (a) f = Cast <to = 1> (d) y = Add(x, f)",
  a=np.array([300.7, 2.9, 255.5], np.float32))
c("cast_to_half_is_infinite", "float[2] x => float[2] y", "p = Cast <to = 10> (a) q = Cast <to = 1> (p) r = Div(a, q) y = Add(x, r)", a=1e6)
c("product_of_halves_is_finite", "float[2] x => float[2] y",
  "p = Cast <to = 10> (a) q = Mul(p, p) r = Cast <to = 1> (q) s = Div(b, r) y = Add(x, s)", a=1000.0, b=60000.0)

# N-grams, and what is unique.

NGRAMS = ("y = TfIdfVectorizer <max_gram_length = 2, max_skip_count = %d, min_gram_length = 1, mode = \"%s\", ngram_counts = [0, 3], "
          "ngram_indexes = [%s], pool_int64s = [2, 3, 5, 2, 3]%s> (x)")
TOKENS = {"x": [2, 5, 3, 2, 3, 3]}
c("ngrams_of_one_place", "int64[6] x => float[2] y", NGRAMS % (0, "TF", "0, 1, 0, 1", ""), inputs=TOKENS)
c("ngrams_of_one_place_weighed", "int64[6] x => float[2] y", NGRAMS % (0, "TFIDF", "0, 1, 0, 1", ", weights = [2.0, 3.0, 5.0, 7.0]"), inputs=TOKENS)
c("ngrams_with_all_skips", "int64[6] x => float[4] y", NGRAMS % (1000, "TF", "0, 1, 2, 3", ""), inputs=TOKENS)
c("unique_of_large_integers", "int64[2] x => int64[2] y", "u, i, j, n = Unique(a) m = Size(u) y = Add(x, m)", inputs={"x": [1, 2]},
  a=ints(2**53, 2**53 + 1, 2**53))


# What is compared with an extreme finds it among the elements.

LOGITS = "float[8,16] x => "
for op, extreme in (("Equal", "ReduceMax"), ("GreaterOrEqual", "ReduceMax"), ("LessOrEqual", "ReduceMin")):
    c(f"{op}_{extreme}", LOGITS + "bool[8,8] y", f"l = MatMul(x, w) t = {extreme} <axes = [1]> (l) y = {op}(l, t)", opset=17, w=weights(16, 8))
c("equal_to_the_greater", "float[6] a, float[6] b => bool[6] y", "m = Max(a, b) y = Equal(a, m)")
c("among_the_3_largest", LOGITS + "bool[8,8] y", "l = MatMul(x, w) v, i = TopK(l, k) t = Slice(v, a, b, n) y = GreaterOrEqual(l, t)",
  k=ints(3), a=ints(2), b=ints(3), n=ints(1), w=weights(16, 8))
c("all_but_the_3_largest_are_zero", LOGITS + "float[8,8] y",
  "l = MatMul(x, w) v, i = TopK(l, k) t = Slice(v, a, b, n) m = Less(l, t) y = Where(m, z, l)",
  k=ints(3), a=ints(2), b=ints(3), n=ints(1), w=weights(16, 8), z=0.0)
c("gate_of_the_most_likely", LOGITS + "float[8,8] y",
  "l = MatMul(x, w) p = Softmax(l) t = ReduceMax <axes = [1]> (p) m = GreaterOrEqual(p, t) f = Cast <to = 1> (m) y = Mul(p, f)",
  opset=17, w=weights(16, 8))
