import sys

from canh.cli import main

sys.exit(main())
