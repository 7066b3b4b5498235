"""The command `zoo`: one file per verb."""
