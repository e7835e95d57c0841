"""Make the golden distances from foolbox: `PYTHONPATH=.:SITE python tests/goldens/attacks.py`.

SITE is where `pip install --target SITE --no-deps foolbox==3.3.4 eagerpy==0.30.0 GitPython gitdb smmap requests` put
them; they run on the same JAX function as ours. The network is trained here, and its weights are part of the golden.
"""

from pathlib import Path

import foolbox
import jax
import jax.numpy as jnp
import numpy as np

from tests.analysis.digits import Digits, fit, split

COUNT = 32
EPSILON = 0.1
ATTACKS = {
    "carlini_wagner/l2": foolbox.attacks.L2CarliniWagnerAttack(binary_search_steps=5, steps=200, initial_const=0.1),
    "ddn/l2": foolbox.attacks.DDNAttack(steps=100),
    "deepfool/l2": foolbox.attacks.L2DeepFoolAttack(steps=50, candidates=10),
    "deepfool/linf": foolbox.attacks.LinfDeepFoolAttack(steps=50, candidates=10),
    "fmn/l1": foolbox.attacks.L1FMNAttack(steps=100),
    "fmn/l2": foolbox.attacks.L2FMNAttack(steps=100),
    "fmn/linf": foolbox.attacks.LInfFMNAttack(steps=100),
}
ORDERS = {"l1": 1, "l2": 2, "linf": np.inf}


def main() -> None:
    """Write `attacks/digits.npz`."""
    variables = fit("train", 0, 600)
    logits_fn = jax.jit(lambda images: Digits().apply(variables, images))
    images, labels = split().images, split().labels
    correct = np.flatnonzero(np.asarray(logits_fn(images)).argmax(1) == labels)[:COUNT]
    images, labels = images[correct], labels[correct]
    model = foolbox.JAXModel(logits_fn, bounds=(0, 1), data_format="channels_last")
    arrays = {}
    for name, attack in ATTACKS.items():
        _, clipped, success = attack(model, jnp.asarray(images), jnp.asarray(labels), epsilons=None)
        delta = np.asarray(clipped, np.float64) - images
        lengths = np.linalg.norm(delta.reshape(COUNT, -1), ORDERS[name.split("/")[1]], axis=1)
        arrays[f"distance/{name}"] = np.where(np.asarray(success), lengths, np.inf).astype(np.float32)
        print(f"{name:20} {np.asarray(success).mean():.2f} {np.median(arrays[f'distance/{name}']):.4f}")
    attack = foolbox.attacks.LinfPGD(steps=40)
    _, _, success = attack(model, jnp.asarray(images), jnp.asarray(labels), epsilons=EPSILON)
    arrays["pgd/success"] = np.asarray(success)
    print("pgd", arrays["pgd/success"].mean())
    weights = {jax.tree_util.keystr(path): leaf for path, leaf in jax.tree_util.tree_leaves_with_path(variables)}
    path = Path(__file__).parent / "attacks" / "digits.npz"
    path.parent.mkdir(exist_ok=True)
    np.savez_compressed(path, images=np.uint8(16 * images), labels=labels, epsilon=EPSILON, **arrays, **weights)


if __name__ == "__main__":
    main()
