"""The result as Markdown tables."""


def milliseconds(figure):
    """Median, and least and largest where they differ."""
    low, middle, high = (f"{1000 * figure[key]:,.{1 if figure['median'] < 0.0995 else 0}f}"
                         for key in ("min", "median", "max"))
    return middle if low == high else f"{middle} ({low}..{high})"


def median(figure):
    return f"{1000 * figure['median']:,.1f}"


def kilobytes(count):
    return f"{count / 1000:,.1f}" if count < 99_950 else f"{count / 1000:,.0f}"


def megabytes(count):
    return f"{count / 1e6:,.0f}"


def table(header, rows):
    lines = ["| " + " | ".join(row) + " |" for row in [header, ["---"] + ["---:"] * (len(header) - 1), *rows]]
    return "\n".join(lines) + "\n"


def by_model(models, rows):
    """A column per model; `rows` are (label, function of the model's result)."""
    return table(["", *models], [[label, *(show(result) for result in models.values())] for label, show in rows])


def sizes(models):
    def count(key):
        return lambda result: f"{result['sizes'][key]:,}"

    def size(key):
        return lambda result: kilobytes(result["bytes"][key]["median"])

    return by_model(models, [
        ("parameters", lambda result: f"{result['parameters']:,}"),
        ("online cells, with padding", count("online_cells")),
        ("of them padding", count("padding_cells")),
        ("fixed cells", count("fixed_cells")),
        ("columns", count("columns")),
        ("tables", count("tables")),
        ("package, KB", size("package")),
        ("key, KB", size("key")),
        ("proof, KB", size("proof")),
        ("bits of security", lambda result: f"{result['security']['bits']}"),
    ])


def paths(models):
    def stage(process, name):
        return lambda result: milliseconds(result["stages"][process][name])

    def process(name, key="wall"):
        return lambda result: milliseconds(result["processes"][name][key])

    def peak(process, key="peak_bytes"):
        return lambda result: megabytes(result["processes"][process][key]["max"])

    def memory(key):
        return lambda result: megabytes(result["memory"][key]["max"])

    bounded = all("memory" in result for result in models.values())
    return by_model(models, [
        ("compile (key included)", process("compile")),
        ("trace", stage("prove", "trace")),
        ("**prove, without grinding**", stage("prove", "without_grinding")),
        ("grinding", stage("prove", "grinding")),
        ("**verify**, inside", stage("verify", "verify")),
        ("verify, the process", process("verify")),
        ("check", stage("check", "check")),
        ("CPU of compile", process("compile", "cpu")),
        ("CPU of prove (trace included)", process("prove", "cpu")),
        ("peak of compile, MB", peak("compile")),
        ("peak of setting up the key, MB", peak("compile", "set_up_peak_bytes")),
        ("peak of prove, MB", peak("prove")),
        ("peak of verify, MB", peak("verify")),
        *([("memory that there is for all of it, files included, MB", memory("limit")),
           ("most of it that is of no file, MB", memory("anonymous"))] if bounded else []),
        ("Stwo alone, without grinding", stage("bare", "without_grinding")),
        ("prove / Stwo alone (least of each)", lambda result: f"{result['bare_ratio']:.2f}"),
        ("prove / extending and hashing the online cells", lambda result: f"{result['floor_ratio']:.2f}"),
    ])


def stages(models):
    """Medians; the stages of proving beside those of Stwo alone."""
    names = []
    for process in ("compile", "prove", "verify", "check"):
        for result in models.values():
            for name in result["stages"][process]:
                if (process, name) not in names and name not in ("total", "without_grinding"):
                    names.append((process, name))

    def show(process, name):
        def cell(result):
            if name not in result["stages"][process]:
                return ""
            alone = result["stages"]["bare"].get(name) if process == "prove" else None
            return median(result["stages"][process][name]) + (f" / {median(alone)}" if alone else "")
        return cell

    order = sorted(names, key=lambda pair: ("compile", "prove", "verify", "check").index(pair[0]))
    return by_model(models, [(f"{process}: {name.replace('_', ' ')}", show(process, name)) for process, name in order])


def peers(models):
    """Each model that a peer ran, in Lindero and in its peers."""
    rows = []
    for name, result in models.items():
        if "peers" in result:
            rows.append([name, "Lindero", *ours(result)])
            cpu = result["processes"]["prove"]["cpu"]["median"]
            rows += [[name, f"{peer['name']} {peer['version']}", *theirs(peer, cpu)] for peer in result["peers"].values()]
    header = ["", "", "compile, key", "witness", "prove", "ratio", "its CPU", "ratio", "proof, KB", "verify",
              "peak of prove, MB"]
    return "\n## Peers\n\n" + table(header, rows) if rows else ""


def ours(result):
    prove, process = result["stages"]["prove"], result["processes"]["prove"]
    return [f"{result['processes']['compile']['wall']['median']:.1f} s", f"{prove['trace']['median']:.3f} s",
            f"{prove['total']['median']:.3f} s", "1", f"{process['cpu']['median']:.2f} s", "1",
            kilobytes(result["bytes"]["proof"]["median"]),
            f"{1000 * result['stages']['verify']['verify']['median']:.1f} ms", megabytes(process["peak_bytes"]["max"])]


def theirs(peer, cpu):
    """`cpu`: what Lindero's process took to prove the same."""
    if "failed" in peer:
        return [f"{peer.get('circuit', 'no circuit')}; {peer['failed']}"] + [""] * 8
    inside = {stage: cost["inside"] for stage, cost in peer["stages"].items()}
    prove = peer["stages"]["prove"]
    ratios = [f"{figure:.{0 if figure >= 10 else 1}f}" for figure in (1 / peer["prove_ratio"], prove["cpu"] / cpu)]
    return [f"{inside['compile'] + inside.get('setup', 0):.1f} s", f"{inside['witness']:.3f} s",
            f"{inside['prove']:.3f} s", ratios[0], f"{prove['cpu']:.2f} s", ratios[1],
            kilobytes(peer["bytes"]["proof"]), f"{1000 * inside['verify']:.1f} ms", megabytes(prove["peak_bytes"])]


def surroundings(result):
    machine, options = result["machine"], result["options"]
    changed = " with local changes" if machine["changed"] else ""
    return f"""{machine['processor']}, {machine['cores']} cores, {machine['memory_bytes'] / 2**30:.0f} GiB, \
{machine['system']}; {machine['date']}; commit {machine['commit'][:12]}{changed}; {options['repeat']} runs, \
{options['threads'] or 'all'} threads; load {machine['load_before']:.1f} before, {machine['load_after']:.1f} after.
"""


def heading(result):
    return f"{surroundings(result)}Times in ms: median (least..largest).\n"


def sweep(result):
    """A row per model."""
    rows = [[name, f"{run['sizes']['online_cells']:,}", f"{run['sizes']['padding_cells']:,}",
             f"{run['sizes']['columns']:,}", milliseconds(run["stages"]["prove"]["without_grinding"]),
             milliseconds(run["processes"]["prove"]["cpu"]), megabytes(run["processes"]["prove"]["prover_peak_bytes"]["median"]),
             kilobytes(run["bytes"]["proof"]["median"]), milliseconds(run["stages"]["verify"]["verify"])]
            for name, run in result["models"].items()]
    header = ["", "online cells", "padding", "columns", "prove", "its CPU", "peak, MB", "proof, KB", "verify"]
    return f"{heading(result)}\n{table(header, rows)}"


def markdown(result):
    models = result["models"]
    return f"""{heading(result)}
{sizes(models)}
{paths(models)}
## By stage

Medians in ms; after the slash Stwo alone.

{stages(models)}{peers(models)}"""


def decode(result):
    """A column per layout. Cells, columns and memory of `carry` are of one block."""
    def stage(process, name):
        return lambda result: milliseconds(result["stages"][process][name])

    return heading(result) + "\n" + by_model(result["models"], [
        ("online cells, with padding (carry: of a block)", lambda result: f"{result['sizes']['online_cells']:,}"),
        ("of those of the forward pass", lambda result: f"{100 * result['cells_ratio']:.2f} %"),
        ("columns", lambda result: f"{result['sizes']['columns']:,}"),
        ("model run in", stage("prove", "trace")),
        ("**prove, without grinding**", stage("prove", "without_grinding")),
        ("proof, KB", lambda result: kilobytes(result["bytes"]["proof"]["median"])),
        ("**verify**, inside", stage("verify", "verify")),
        ("verify, the process", lambda result: milliseconds(result["processes"]["verify"]["wall"])),
        ("peak of prove, MB", lambda result: megabytes(result["processes"]["prove"]["peak_bytes"]["max"])),
        ("bits of security", lambda result: f"{result['security']['bits']}"),
    ])


def large(result):
    figures = result["large"]

    def gigabytes(key):
        return f"{figures[key] / 1e9:.2f}"

    return f"{surroundings(result)}\n" + table(["", "large file"], [
        ["file, GB", gigabytes("file_bytes")],
        ["memory that there is, files included, GB", gigabytes("limit_bytes")],
        ["most of it that is of no file, GB", gigabytes("peak_anonymous_bytes")],
        ["read from disk, GB", gigabytes("read_bytes")],
        ["compile without a key, s", f"{figures['wall']:,.0f}"],
        ["its CPU, s", f"{figures['cpu']:,.0f}"],
    ])


def gpt2_sweep(result):
    """A row per size."""
    rows = [[name, f"{run['sizes']['online_cells'] / 1e6:,.1f}", f"{run['processes']['compile']['wall']['median']:,.0f}",
             *(f"{run['stages']['prove'][stage]['median']:,.2f}" for stage in ("trace", "without_grinding")),
             f"{run['processes']['prove']['cpu']['median']:,.1f}", megabytes(run["processes"]["prove"]["prover_peak_bytes"]["median"]),
             kilobytes(run["bytes"]["proof"]["median"]), milliseconds(run["stages"]["verify"]["verify"])]
            for name, run in result["models"].items()]
    header = ["", "online cells, million", "compile, s", "trace, s", "prove, s", "its CPU, s", "peak, MB", "proof, KB", "verify, ms"]
    return f"{heading(result)}\n{table(header, rows)}"


def session(result):
    def row(label, show):
        return [label, *(show(figures) for figures in result["models"].values())]

    def ms(key):
        return lambda figures: f"{1000 * figures[key]:,.0f}"

    return f"{surroundings(result)}\n" + table(["", *result["models"]], [
        row("runs", lambda figures: f"{figures['runs']:,}"),
        row("prove by itself, without grinding", ms("alone")),
        row("prove in the session, the first", ms("first")),
        row("prove in the session, the others", ms("median")),
        row("by itself / in the session", lambda figures: f"{figures['alone'] / figures['median']:.2f}"),
        row("`lindero prove` of one, the process", ms("alone_wall")),
        row("`lindero prove --runs`, the process / runs", ms("wall_of_each")),
        row("peak of the prover after a tenth, MB", lambda figures: megabytes(figures["peak_after_tenth"])),
        row("peak of the prover after all, MB", lambda figures: megabytes(figures["peak_after_last"])),
    ])
