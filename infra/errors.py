"""Errors of infra, all of them `OpsError`: what, where, how to fix.

LabError
├── BadLabId        the lab's id cannot name anything
├── HostUnfit       this machine cannot hold a lab: not root, kernel, package, port
├── LabBusy         another command is at work on this lab
├── CommandFailed   a program of the host said no (`ip`, `mount`, `mmdebstrap`...)
├── MachineFailed   a machine did not boot, answer or stop in time
├── ImageFailed     a root file system or a baked layer could not be made
└── StackFailed     Pulumi could not carry out the program
"""

from __future__ import annotations

from inventory.errors import OpsError


class LabError(OpsError):
    """The lab cannot go on."""


class BadLabId(LabError):
    """The lab's id cannot name anything."""


class HostUnfit(LabError):
    """This machine cannot hold a lab."""


class LabBusy(LabError):
    """Another command is at work on this lab."""


class CommandFailed(LabError):
    """A program of the host ended with an error."""


class MachineFailed(LabError):
    """A machine did not boot, answer or stop in time."""


class ImageFailed(LabError):
    """A root file system or a layer of it could not be made."""


class StackFailed(LabError):
    """Pulumi could not carry out the program."""
