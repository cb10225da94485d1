"""Small files of one source, read and screened together; each is told apart again, or judged alone."""
