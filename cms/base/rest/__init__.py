"""What every app's API is built from: strict fields and answers given once."""
