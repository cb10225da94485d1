"""What must never be taken in: names of columns and looks of cells that tell who a patient is."""
