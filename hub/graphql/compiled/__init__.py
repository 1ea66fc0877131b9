"""Operations over the read model as one SQL statement and a function made for it: see the README."""
