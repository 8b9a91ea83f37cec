"""The arguments are read in a module of their own, and the hooks bound in another."""

from config import get_config
from trainer import Trainer

import nsml

config, settings = get_config()
trainer = Trainer(settings)
trainer.bind()
if config.pause:
    nsml.paused(scope=locals())
if config.mode == "train":
    trainer.run()
