"""Runs a query in an engine and prints its result: engines.py ENGINE QUERY_FILE.
QUERY_FILE may begin with statements that make tables, which end in a line ;;"""
import os, sys, tempfile

engine, path = sys.argv[1:]
*setup, query = open(path).read().split("\n;;\n")
if engine == "duckdb":
    import duckdb
    c = duckdb.connect()
    for s in setup:
        c.execute(s)
    with tempfile.TemporaryDirectory() as d:
        out = os.path.join(d, "result.json")
        c.execute(f"COPY ({query}) TO '{out}'")
        sys.stdout.write(open(out).read())
else:
    import chdb
    from chdb import session
    c = session.Session()
    for s in setup:
        c.query(s)
    # A query in Python wants its format told apart.
    body, form = query.rsplit("FORMAT", 1)
    sys.stdout.write(str(c.query(body, form.strip())))
