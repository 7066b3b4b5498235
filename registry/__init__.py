"""Names to objects: the one place that knows what the zoo offers. Needs the standard library only."""

from registry.catalog import *  # noqa: F403 - the tables: normalizers, models, …
from registry.catalog import TABLES as TABLES
from registry.core import Entry as Entry
from registry.core import Registry as Registry
from registry.describe import Description as Description
from registry.describe import Option as Option
from registry.describe import describe as describe
from registry.name_errors import BrokenEntry as BrokenEntry
from registry.name_errors import DuplicateName as DuplicateName
from registry.name_errors import PluginError as PluginError
from registry.name_errors import RegistryError as RegistryError
from registry.name_errors import UnknownName as UnknownName
from registry.plugins import load_plugin as load_plugin
