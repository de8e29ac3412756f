"""The text side of a CLIP folder: the same tokens and features as transformers has, and what a folder may lack."""

import json
import shutil
import socket
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from tests.models.small_clip import SIZES, VOCABULARY, save_small_clip

from mien.models.clip_folder import check_clip_folder, clip_tokens, load_clip_text
from mien.models.text_encoder import PromptTower, TextTower

PROMPTS = ("a face image of sad", "this is a face image of surprise", "fear")
transformers = pytest.importorskip("transformers", reason="the extra clip is not installed")


@pytest.fixture(scope="module")
def saved(tmp_path_factory) -> tuple[Path, torch.nn.Module]:
    """A folder, and the text model of transformers that is in it."""
    folder = save_small_clip(tmp_path_factory.mktemp("clip") / "clip")
    return folder, transformers.CLIPTextModelWithProjection.from_pretrained(folder).eval()


@pytest.fixture
def folder(saved, tmp_path) -> Path:
    return Path(shutil.copytree(saved[0], tmp_path / "clip"))


def tower(**config) -> TextTower:
    return TextTower(**(SIZES | config))


def test_the_loaded_tower_computes_what_transformers_does(saved):
    folder, theirs = saved
    ours = tower().eval()
    # 2 embeddings, 2 x 14 tensors of a block, 2 of the norm and the projection
    assert load_clip_text(ours, folder).startswith("loaded 33 of 33 tensors")
    tokens = torch.tensor([[57, 3, 26, 9, 58], [57, 1, 58, 58, 58], [57, 52, 53, 54, 58]])
    with torch.no_grad():
        expected = theirs(input_ids=tokens).text_embeds
        torch.testing.assert_close(ours(tokens), expected, rtol=1e-4, atol=1e-5)
    assert expected.std() > 0.1


def test_prompts_go_the_whole_way_as_in_transformers(saved):
    folder, theirs = saved
    ours = tower().eval()
    load_clip_text(ours, folder)
    tokenizer = transformers.CLIPTokenizer.from_pretrained(str(folder))
    batch = tokenizer(list(PROMPTS), padding=True, return_tensors="pt")
    with torch.no_grad():
        expected = theirs(**batch).text_embeds
        features = PromptTower(ours, clip_tokens(folder, PROMPTS))()
    torch.testing.assert_close(features, expected, rtol=1e-4, atol=1e-5)


def test_tokens_follow_the_folders_merges(saved):
    (face, sad) = clip_tokens(saved[0], ("face", "Sad"))
    names = [[VOCABULARY[number] for number in ids] for ids in (face, sad)]
    assert names == [[VOCABULARY[-2], "face</w>", VOCABULARY[-1]], [VOCABULARY[-2], "sad</w>", VOCABULARY[-1]]]


def test_nothing_is_fetched(saved, monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError("a connection was opened")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    clip_tokens(saved[0], PROMPTS)
    load_clip_text(tower(), saved[0])


def test_torchs_own_file_and_half_precision_serve_too(folder):
    weights = {name: tensor.half() for name, tensor in load_file(folder / "model.safetensors").items()}
    torch.save(weights, folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    ours = tower()
    assert "pytorch_model.bin" in load_clip_text(ours, folder)
    assert ours.proj.weight.dtype == torch.float32


@pytest.mark.parametrize(
    ("file", "message"),
    [
        ("config.json", "lacks config.json. Give a complete copy of openai/clip-vit-base-patch32"),
        ("model.safetensors", "lacks model.safetensors or pytorch_model.bin"),
        ("merges.txt", "lacks tokenizer.json or vocab.json with merges.txt"),
    ],
)
def test_an_incomplete_folder_is_refused_with_the_file_it_lacks(folder, file, message):
    (folder / file).unlink()
    for use in (check_clip_folder, lambda path: clip_tokens(path, PROMPTS), lambda path: load_clip_text(tower(), path)):
        with pytest.raises(ValueError, match=message):
            use(folder)


def test_a_folder_that_is_not_there_is_refused():
    with pytest.raises(
        ValueError, match=r"CLIP folder nowhere does not exist.*or none, and the text side starts at ran"
    ):
        check_clip_folder("nowhere")


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"width": 64}, "width 32 against 64. Set text_width: 32, or give another folder"),
        ({"depth": 3, "num_heads": 2}, "depth 2 against 3, num_heads 4 against 2. Set text_depth: 2, text_heads: 4"),
        ({"context_length": 77}, "context_length 32 against 77. Set text_context_length: 32"),
        ({"vocab_size": 100}, "Set text_vocab_size: 59"),
        ({"embed_dim": 512}, "Set text_embed_dim: 24"),
    ],
)
def test_a_tower_of_other_sizes_is_refused_with_the_settings_that_fit(saved, config, message):
    with pytest.raises(ValueError, match=message):
        load_clip_text(tower(**config), saved[0])


def test_a_tower_trained_with_another_activation_is_refused(folder):
    config = json.loads((folder / "config.json").read_text())
    config["text_config"]["hidden_act"] = "gelu"
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(ValueError, match=r"trained with gelu.*Give a folder of OpenAI's CLIP"):
        load_clip_text(tower(), folder)


@pytest.mark.parametrize(
    ("left_out", "message"),
    [
        ("text_projection", "lack text_projection.weight, so they are not of CLIP's text tower with its projection"),
        ("layers.1.mlp.fc1.bias", "lacks 1 tensors of CLIP's text tower, such as encoder.layers.1.mlp.fc1.bias"),
    ],
)
def test_weights_without_a_part_are_refused(folder, left_out, message):
    weights = load_file(folder / "model.safetensors")
    save_file({name: t for name, t in weights.items() if left_out not in name}, folder / "model.safetensors")
    with pytest.raises(ValueError, match=message):
        load_clip_text(tower(), folder)


def test_weights_with_a_nan_are_refused(folder):
    weights = load_file(folder / "model.safetensors")
    weights["text_projection.weight"][0, 0] = float("nan")
    save_file(weights, folder / "model.safetensors")
    with pytest.raises(
        ValueError, match=r"its tensor proj\.weight has 1 of \d+ values that are NaN.*another checkpoint"
    ):
        load_clip_text(tower(), folder)


def test_without_transformers_the_message_says_how_to_install_it(saved, monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(ValueError, match=r"read by transformers, which is not installed.*pip install 'mien\[clip\]'"):
        clip_tokens(saved[0], PROMPTS)


@pytest.mark.parametrize("damaged", ["", "{", "[1]", "version https://git-lfs.github.com/spec/v1"])
def test_a_damaged_file_of_the_folder_is_reported_with_what_to_do(folder, damaged):
    (folder / "config.json").write_text(damaged)
    with pytest.raises(ValueError, match=r"config\.json cannot be read: it is .*Take a whole copy of the folder"):
        load_clip_text(None, folder)
