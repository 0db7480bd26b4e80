"""What drives and trains, for other projects: `import carracing_dqn`, then import as in a clone.

A clone calls its packages `agents`, `evaluation`, `training`: names that others use too, and pip would write one
project's files over another's. So they are installed inside this package, and importing it puts them at the end of
Python's path.

Attributes:
    MODELS: Folder of the published weights.

Raises:
    ImportError: If one of these names already means somebody else's package.
"""

import sys
from importlib.util import find_spec
from pathlib import Path

_HERE = Path(__file__).resolve().parent
MODELS = _HERE / "models"

if str(_HERE) not in sys.path:
    sys.path.append(str(_HERE))
for _name in sorted(p.parent.name for p in _HERE.glob("*/__init__.py")):
    _spec = find_spec(_name)
    if _spec is None or _spec.origin != str(_HERE / _name / "__init__.py"):
        raise ImportError(
            f"carracing_dqn needs the name {_name!r}, which here means"
            f" {_spec.origin if _spec else None}; start Python where that is not in its path"
        )
