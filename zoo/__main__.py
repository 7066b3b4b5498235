"""`python -m zoo` is `zoo`; the form that torchrun takes: `torchrun --nproc_per_node=2 -m zoo train …`."""

from zoo.cli.main import main

if __name__ == "__main__":
    main()
