"""The cases of opsets before 16, as their ops were meant then."""

import numpy as np

from cases import RESIZED, c, ints, weights

c("softmax_of_opset_12", "float[2,3,4] x => float[2,3,4] y", "y = Softmax(x)", opset=12)
c("softmax_of_opset_12_last_axis", "float[2,3,4] x => float[2,3,4] y", "y = Softmax <axis = -1> (x)", opset=12)
c("softmax_of_opset_7", "float[2,3,4] x => float[2,3,4] y", "y = Softmax <axis = 2> (x)", opset=7)
c("log_softmax_of_opset_11", "float[2,3,4] x => float[2,3,4] y", "y = LogSoftmax <axis = 1> (x)", opset=11)
c("clip_of_opset_10", "float[2,3] x => float[2,3] y", "y = Clip <min = -0.5, max = 0.25> (x)", opset=10)
c("clip_of_opset_7_open_above", "float[2,3] x => float[2,3] y", "y = Clip <min = -0.5> (x)", opset=7)
c("slice_of_opset_9", "float[4,5] x => float[2,3] y", "y = Slice <axes = [1, 0], starts = [1, -3], ends = [4, -1]> (x)", opset=9)
c("slice_of_opset_7_all_axes", "float[4,5] x => float[3,2] y", "y = Slice <starts = [1, 2], ends = [1000, 4]> (x)", opset=7)
c("unsqueeze_of_opset_11", "float[2,3] x => float[2,1,3,1] y", "y = Unsqueeze <axes = [1, -1]> (x)", opset=11)
c("squeeze_of_opset_11", "float[2,1,3,1] x => float[2,1,3] y", "y = Squeeze <axes = [-1]> (x)", opset=11)
c("squeeze_of_opset_7_all", "float[2,1,3,1] x => float[2,3] y", "y = Squeeze(x)", opset=7)
c("split_of_opset_11", "float[5,2] x => float[2,2] y, float[3,2] z", "y, z = Split <axis = 0, split = [2, 3]> (x)", opset=11)
c("split_of_opset_7_in_equal_parts", "float[4,2] x => float[2,2] y, float[2,2] z", "y, z = Split <axis = 0> (x)", opset=7)
c("reduce_sum_of_opset_11", "float[2,3,4] x => float[2,4] y", "y = ReduceSum <axes = [-2], keepdims = 0> (x)", opset=11)
c("reduce_l2_of_opset_8", "float[2,3,4] x => float[2,1,4] y", "y = ReduceL2 <axes = [1]> (x)", opset=8)
c("pad_of_opset_10", "float[2,3] x => float[3,5] y", "y = Pad <pads = [1, 0, 0, 2], value = 0.5> (x)", opset=10)
c("dropout_of_opset_7", "float[2,3] x => float[2,3] y", "y = Dropout <ratio = 0.75> (x)", opset=7)
c("dropout_of_opset_10", "float[2,3] x => float[2,3] y", "d = Dropout(x) y = Neg(d)", opset=10)
c("batch_normalization_of_opset_8", "float[2,3,2] x => float[2,3,2] y", "y = BatchNormalization(x, s, b, m, v)", opset=8,
  s=weights(3), b=weights(3, seed=2), m=weights(3, seed=3), v=np.abs(weights(3, seed=4)))
c("gemm_of_opset_7", "float[2,3] x => float[2,4] y", "y = Gemm <alpha = 0.5, beta = 2.0, transB = 1> (x, w, b)", opset=7,
  w=weights(4, 3), b=weights(4, seed=2))
c("prelu_of_opset_7", "float[2,3] x => float[2,3] y", "y = PRelu(x, s)", opset=7, s=weights(3))
c("scatter_of_opset_10", "float[3,2] x, float[2,1] u => float[3,2] y", "y = Scatter(x, i, u)", opset=10, i=np.array([[1], [0]]))
c("one_hot_of_opset_9", "float[2,3] x => float[2,3] y", "h = OneHot <axis = -1> (i, d, v) y = Mul(x, h)", opset=9,
  i=np.array([2, 0]), d=np.array(3), v=np.array([0.5, 2.0], np.float32))
c("max_of_opset_7", "float[2,3] x, float[2,3] z => float[2,3] y", "y = Max(x, z)", opset=7)
c("max_pool_of_opset_7", "float[1,2,5] x => float[1,2,2] y", "y = MaxPool <kernel_shape = [3], strides = [2]> (x)", opset=7)
c("average_pool_of_opset_7", "float[1,2,5] x => float[1,2,3] y", "y = AveragePool <kernel_shape = [3], strides = [2], pads = [1, 1]> (x)", opset=7)
c("where_of_opset_9", "float[2,3] x => float[2,3] y", "g = Greater(x, z) y = Where(g, x, z)", opset=9, z=weights(3))
c("constant_of_shape_of_opset_9", "float[2,3] x => float[2,3] y", "s = Shape(x) o = ConstantOfShape(s) y = Add(x, o)", opset=9)
c("instance_normalization_of_opset_7", "float[1,2,4] x => float[1,2,4] y", "y = InstanceNormalization(x, s, b)", opset=7,
  s=weights(2), b=weights(2, seed=2))
c("layer_norm_of_opset_12", "float[2,3,4] x => float[2,3,4] y",
  "m = ReduceMean <axes = [-1]> (x) d = Sub(x, m) q = Pow(d, two) v = ReduceMean <axes = [-1]> (q) w = Add(v, e) r = Sqrt(w) y = Div(d, r)",
  opset=12, two=np.array(2, np.float32), e=np.array(1e-5, np.float32))
c("hardmax_of_opset_11", "float[3,5] x => float[3,5] y", "y = Hardmax(x)", opset=11)
c("roi_align_of_opset_10", "float[1,2,6,6] x => float[2,2,3,2] y", "y = RoiAlign <output_height = 3, output_width = 2, spatial_scale = 0.5> (x, r, b)",
  opset=10, r=np.array([[0, 0, 8, 9], [2, 3, 11, 6]], np.float32), b=ints(0, 0))
for opset, op in ((9, "Upsample"), (10, "Resize")):
    c(f"{op.lower()}_in_a_branch_of_opset_{opset}", RESIZED % (8, 15),
      f"y = If (c) <then_branch = g () => (float[1,2,8,15] t) {{ t = {op} <mode = \"linear\"> (x, s) }}, "
      f"else_branch = h () => (float[1,2,8,15] t) {{ t = {op} <mode = \"nearest\"> (x, s) }}>",
      opset=opset, c=np.array(True), s=np.array([1, 1, 2, 3], np.float32))
