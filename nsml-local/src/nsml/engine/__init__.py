"""What starts a program and watches over it: the copy of its folder, its launch, its supervisor."""
