#!/usr/bin/env python3
"""What nvcc made of every kernel, per architecture: registers, shared memory, spills, and tensor-core instructions.

  cuda_kernels.py [build/libkernels.a] [--json FILE]

Reads the compiled library; needs no GPU. Ends with 1 if a kernel spills registers, or if one whose
name begins with "tensor" (the bf16 convolutions) has no tensor-core instruction (HMMA).
"""
import argparse
import glob
import json
import os
import re
import subprocess
import sys

LOCAL = re.compile(r"\b(STL|LDL)\b")
SETTINGS = re.compile(r"Function (\S+):\s*\n\s*(REG:.*)")


def tool(name):
    """The program from PyPI's package, or from the toolkit."""
    found = glob.glob(os.path.join(sys.prefix, "lib", "python3*", "site-packages", "nvidia", "**", "bin", name), recursive=True)
    return found[0] if found else name


def run(name, *arguments):
    environment = dict(os.environ, PATH=os.path.dirname(tool("nvdisasm")) + os.pathsep + os.environ["PATH"])
    return subprocess.run([tool(name), *arguments], check=True, capture_output=True, text=True, env=environment).stdout


def plain(names):
    """Demangled, without the parameters: what a person calls the kernel."""
    text = subprocess.run(["c++filt"], input="\n".join(names), check=True, capture_output=True, text=True).stdout.split("\n")
    short = {}
    for name, demangled in zip(names, text):
        demangled = demangled.replace("(anonymous namespace)::", "").removeprefix("void ")
        depth, cut = 0, len(demangled)
        for i, c in enumerate(demangled):
            depth += (c == "<") - (c == ">")
            if c == "(" and depth == 0:
                cut = i
                break
        short[name] = demangled[:cut].replace("star::cuda::", "").replace("star::", "")
    return short


def kernels(library):
    """(architecture, kernel) -> registers, shared bytes, stack bytes, and counts of instructions."""
    table = {}
    for section in re.split(r"(?=^arch = )", run("cuobjdump", "--dump-resource-usage", library), flags=re.M):
        # cuobjdump names the architecture in the lines before "Resource usage"
        arch = re.search(r"arch = (sm_\d+)", section)
        for name, settings in SETTINGS.findall(section):
            values = {k: int(v) for k, v in re.findall(r"(\w+(?:\[0\])?):(\d+)", settings)}
            table[arch.group(1), name] = {"registers": values["REG"], "static_shared": values["SHARED"], "stack": values["STACK"], "local": values["LOCAL"],
                                          "hmma": 0, "local_accesses": 0, "instructions": 0}
    arch, row = None, None
    for line in run("cuobjdump", "--dump-sass", library).split("\n"):
        if found := re.search(r"code for (sm_\d+)|arch = (sm_\d+)", line):
            arch = found.group(1) or found.group(2)
        elif found := re.search(r"Function : (\S+)", line):
            row = table.get((arch, found.group(1)))
        elif row is not None and (found := re.match(r"\s+/\*[0-9a-f]+\*/\s+(?:@!?U?P\w+ )?([A-Z0-9_.]+)", line)):
            row["instructions"] += 1
            row["hmma"] += found.group(1).startswith("HMMA")
            row["local_accesses"] += bool(LOCAL.match(found.group(1).split(".")[0]))
    return table


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("library", nargs="*", default=["build/libkernels.a"])
    parser.add_argument("--json")
    options = parser.parse_args()
    table = {}
    for library in options.library:
        table |= kernels(library)
    if not table:
        sys.exit("cuda_kernels: no kernel in " + " ".join(options.library) + ": was it built with nvcc?")
    names = plain([name for _, name in table])
    bad, rows = [], []
    for (arch, name), row in sorted(table.items(), key=lambda item: (names[item[0][1]], item[0][0])):
        rows.append({"arch": arch, "kernel": names[name]} | row)
        spills = row["local_accesses"]
        if spills:
            bad.append(f"{names[name]} on {arch} touches local memory in {spills} instructions")
        if names[name].startswith("tensor") and not row["hmma"]:
            bad.append(f"{names[name]} on {arch} has no HMMA")
        print(f"{arch} {row['registers']:4} registers {row['stack']:5} B stack {spills:4} local {row['hmma']:5} HMMA {row['instructions']:6} instructions  {names[name]}")
    if options.json:
        with open(options.json, "w") as out:
            json.dump(rows, out, indent=1)
    print(f"{len(rows)} kernels; " + ("no spills, HMMA in every kernel that is meant for tensor cores" if not bad else "\n".join(bad)))
    sys.exit(bool(bad))


if __name__ == "__main__":
    main()
