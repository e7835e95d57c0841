"""Make the notebooks from the percent-format scripts beside this file: `python colab/build.py`."""

from pathlib import Path

import jupytext

HERE = Path(__file__).parent

if __name__ == "__main__":
    for script in sorted(HERE.glob("*.py")):
        if script.name != Path(__file__).name:
            notebook = jupytext.read(script)
            notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
            # Cell ids are random otherwise, and the notebook would differ every time it is made.
            for number, cell in enumerate(notebook.cells):
                cell["id"] = f"cell{number}"
            jupytext.write(notebook, script.with_suffix(".ipynb"))
            print(script.with_suffix(".ipynb"))
