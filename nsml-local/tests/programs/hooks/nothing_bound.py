"""The first lesson of a tutorial: values are reported and checkpoints saved, though nothing is bound yet."""

import nsml

for epoch in range(3):
    loss = 1.0 / (epoch + 1)
    print("Epoch", epoch, "loss", loss)
    nsml.report(summary=True, step=epoch, loss=loss)
    nsml.save(epoch)
