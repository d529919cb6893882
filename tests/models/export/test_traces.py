"""The graph of the net that labels cells says what torch says."""

import numpy as np
import onnxruntime
import pytest

from sonoquality.traces import SEEN

pytestmark = pytest.mark.train


def test_the_graph_says_what_torch_says() -> None:
    """The same weights, with norms that do something, on the same screens."""
    import torch

    from sonoquality.export.traces import trace_model
    from sonoquality.networks.trace_cells import TraceCells

    torch.manual_seed(2)
    net = TraceCells()
    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.normal_(module.bias, std=0.3)
            torch.nn.init.uniform_(module.weight, 0.5, 2.0)
    net(torch.rand(4, 1, 64, 64))
    screens = torch.rand(2, 1, *SEEN) * 2 - 1
    with torch.no_grad():
        shares = torch.softmax(net.eval()(screens), dim=1).permute(0, 2, 3, 1).numpy()

    session = onnxruntime.InferenceSession(trace_model(net).SerializeToString())
    (found,) = session.run(["shares"], {"screens": screens.numpy()})

    np.testing.assert_allclose(found, shares, atol=1e-5)
    assert shares.std() > 0.05
