"""SAE and POSTER under torch.compile and CUDA graphs: token counts are known before any image is, so one graph does."""

from typing import Any

import pytest
import torch
from torch import nn

from mien.models import create_model

SMALL = {
    "num_classes": 7,
    "image_size": 48,
    "embed_dim": 32,
    "depth": 2,
    "num_heads": 2,
    "backbone_widths": (4, 8, 16),
    "backbone_units": (1, 1, 1),
    "landmark_widths": (8, 8, 8, 32),
    "landmark_units": (1, 1, 1),
}
PRUNED = {"prune_blocks": (0, 1), "last_block_cls_only": True}

NETWORKS: list[tuple[str, dict[str, Any]]] = [
    ("sae", {**PRUNED, "keep_rate": 1.0}),
    ("sae", {**PRUNED, "keep_rate": 0.1}),
    ("sae", {**PRUNED, "keep_rate": 0.1, "patch_size": 8, "alignment": "per_stream"}),
    ("poster", {}),
]
each_network = pytest.mark.parametrize(("name", "config"), NETWORKS)


def build(name: str, config: dict[str, Any]) -> nn.Module:
    torch.manual_seed(0)
    return create_model(name, **{**SMALL, **config}).eval()


def images(seed: int = 1, batch: int = 2) -> torch.Tensor:
    return torch.randn(batch, 3, 48, 48, generator=torch.Generator().manual_seed(seed))


@pytest.mark.slow
@each_network
def test_the_logits_of_one_whole_graph_equal_eager_ones(name, config):
    """Traced and made functional as for any compiler; whether torch's own then writes right C++ is torch's matter."""
    torch.compiler.reset()
    model = build(name, config)
    compiled = torch.compile(model, fullgraph=True, backend="aot_eager")
    with torch.no_grad():
        for seed in (1, 2):
            torch.testing.assert_close(compiled(images(seed)), model(images(seed)), rtol=0, atol=1e-5)


@pytest.mark.slow
def test_a_falling_keep_rate_compiles_once_per_plan():
    torch.compiler.reset()
    graphs = []

    def count(graph, _):
        graphs.append(graph)
        return graph.forward

    model = build("sae", {**PRUNED, "keep_rate": 0.25, "shrink_start_epoch": 1, "shrink_epochs": 3}).train()
    compiled = torch.compile(model, fullgraph=True, dynamic=False, backend=count)
    for epoch in (0, 1, 2, 3, 4, 5, 6):
        model.begin_epoch(epoch)
        for seed in (1, 2):
            compiled(images(seed))
    assert len(graphs) == 3  # rates 1, 1 and .81 drop nothing before the last block, .44 and .25 do


@pytest.mark.gpu
@each_network
def test_a_cuda_graph_replays_the_logits_of_new_images(name, config):
    model, static = build(name, config).cuda(), images().cuda()
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.no_grad(), torch.cuda.stream(side):
        for _ in range(3):
            model(static)
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.no_grad(), torch.cuda.graph(graph):
        logits = model(static)
    for seed in (2, 3):
        static.copy_(images(seed))
        graph.replay()
        with torch.no_grad():
            torch.testing.assert_close(logits, model(images(seed).cuda()), rtol=0, atol=1e-5)


@pytest.mark.gpu
@each_network
def test_compiled_with_cuda_graphs_logits_equal_eager_ones(name, config):
    torch.compiler.reset()
    model = build(name, config).cuda()
    compiled = torch.compile(model, fullgraph=True, mode="reduce-overhead")
    with torch.no_grad():
        for seed in (1, 2, 3):
            x = images(seed).cuda()
            torch.testing.assert_close(compiled(x), model(x), rtol=0, atol=1e-4)
