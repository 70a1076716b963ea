#!/usr/bin/env python3
"""Makes the seeds of the fuzz targets, valid files and nearly valid ones. Needs astropy.

usage: make_corpus.py [FOLDER]     (default: corpus/ beside this file); what else lies there stays.
The same bytes each time, but for the times that gzip notes.
"""
import gzip
import io
import json
import struct
import sys
from pathlib import Path

import numpy as np
from astropy.io import fits

root = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "corpus"


def put(target, name, data):
    folder = root / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data if isinstance(data, bytes) else data.encode())


def fits_bytes(hdus):
    out = io.BytesIO()
    fits.HDUList(hdus).writeto(out, output_verify="ignore")
    return out.getvalue()


def short(data, kind="+"):
    """A FITS file as tests/fuzz/fits_input.h expands it."""
    hdus = []
    for hdu in fits.open(io.BytesIO(data), disable_image_compression=True):
        at = hdu.fileinfo()
        header = data[at["hdrLoc"]:at["datLoc"]]
        lines = [header[i:i + 80].rstrip() for i in range(0, len(header), 80)]
        lines = lines[:lines.index(b"END") + 1]
        body = data[at["datLoc"]:at["datLoc"] + at["datSpan"]]
        used = max(len(body.rstrip(b"\0")), len(body) - 2879, 0)  # expanding makes whole blocks of it
        hdus.append(b"\n".join(lines) + b"\n" + body[:used])
    return kind.encode() + b"\n%%\n".join(hdus)


def cards(*lines):
    text = "".join(line.ljust(80) for line in (*lines, "END"))
    return text.ljust(-(-len(text) // 2880) * 2880).encode()


def blocks(data):
    return data.ljust(-(-len(data) // 2880) * 2880, b"\0")


empty = ("SIMPLE  =                    T", "BITPIX  =                    8", "NAXIS   =                    0",
         "EXTEND  =                    T")


def psfs():
    y, x = np.mgrid[-4:5, -4:5]
    star = np.exp(-(x * x + y * y) / 4).astype("float32")
    one = fits.PrimaryHDU(star)
    one.header["OVERSAMP"], one.header["PIXRESP"], one.header["PSFENRGY"] = 2, False, 0.98
    put("psf", "one", short(fits_bytes([one])))
    put("psf", "packed", short(fits_bytes([one]), "*"))
    part = fits.PrimaryHDU(star)
    part.header["LTV1"], part.header["LTV2"], part.header["DRZSIGMA"], part.header["CENTRED"] = -60.0, -40.5, 0.4, True
    put("psf", "part", short(fits_bytes([part])))
    library = fits.PrimaryHDU(np.array([star, star, star, star[::-1], star.T, 2 * star]))
    for key, value in ("NXPSFS", 3), ("NYPSFS", 2), ("IPSFX01", 0), ("IPSFX02", 300), ("IPSFX03", 600), ("JPSFY01", 0), \
                      ("JPSFY02", 400):
        library.header[key] = value
    library.data[1, :, 0] = -0.1
    put("psf", "library", short(fits_bytes([library])))
    library.header["IPSFX03"] = 200
    put("psf", "decreasing", short(fits_bytes([library])))
    library.header["NXPSFS"] = 64
    put("psf", "too_many", short(fits_bytes([library])))


def images():
    ramp = np.arange(6).reshape(2, 3)
    for name, kind in ("u8", "uint8"), ("i16", "int16"), ("i32", "int32"), ("i64", "int64"), ("f32", "float32"), \
                      ("f64", "float64"), ("unsigned16", "uint16"), ("unsigned32", "uint32"):
        put("images", name, short(fits_bytes([fits.PrimaryHDU(ramp.astype(kind))])))
    scaled = fits.PrimaryHDU(ramp.astype("int16"))
    scaled.header["BSCALE"], scaled.header["BZERO"], scaled.header["BLANK"] = 0.5, 100.25, 3
    scaled = fits_bytes([scaled])
    put("images", "scaled.fits", scaled)
    put("images", "gzip.fits.gz", gzip.compress(scaled, mtime=0))
    put("images", "packed", short(scaled, "*"))
    put("images", "unpadded", short(scaled, "-"))
    special = np.array([[np.nan, np.inf, -1e38], [0, 1e-40, 1]])
    put("images", "special", short(fits_bytes([fits.PrimaryHDU(special)])))
    put("images", "cube", short(fits_bytes([fits.PrimaryHDU(np.zeros((2, 2, 3), "int16"))])))
    put("images", "four_axes", short(fits_bytes([fits.PrimaryHDU(np.zeros((1, 1, 2, 3), "int16"))])))
    primary = fits.PrimaryHDU()
    for key, value in ("TELESCOP", "HST"), ("PHOTFLAM", 1.8e-19), ("PHOTPLAM", 4747.0), ("CRVAL1", 150.1):
        primary.header[key] = value
    sci = fits.ImageHDU(ramp.astype("float32"), name="SCI", ver=2)
    sci.header["INHERIT"], sci.header["BUNIT"] = True, "ELECTRONS/S"
    several = fits_bytes([primary, sci, fits.ImageHDU(ramp.astype("float32"), name="ERR", ver=2),
                          fits.ImageHDU(ramp.astype("int16"), name="DQ", ver=2)])
    put("images", "several", short(several))
    jwst = fits.ImageHDU(ramp.astype("float32"), name="SCI")
    jwst.header["BUNIT"], jwst.header["PIXAR_SR"] = "MJy/sr", 2.1e-14
    put("images", "surface", short(fits_bytes([fits.PrimaryHDU(), jwst])))
    lsst = fits.PrimaryHDU(ramp.astype("int32"))
    lsst.header["MP_SAT"], lsst.header["MP_BAD"], lsst.header["HIERARCH MP_NO_DATA"] = 1, 0, 8
    put("images", "lsst_mask", short(fits_bytes([lsst])))
    groups = cards(*empty[:2], "NAXIS   =                    3", "NAXIS1  =                    0",
                   "NAXIS2  =                    2", "NAXIS3  =                    3",
                   "GROUPS  =                    T", "PCOUNT  =                    1",
                   "GCOUNT  =                    1")
    put("images", "groups", short(groups + blocks(bytes(7))))
    more = cards("XTENSION= 'IMAGE   '", "BITPIX  =                    8", "NAXIS   =                    2",
                 "NAXIS1  =                    3", "NAXIS2  =                    2", "PCOUNT  =                    5",
                 "GCOUNT  =                    2", "EXTNAME = 'MORE'", "LONG    = 'abc&'", "CONTINUE  'def' / why")
    put("images", "groups_in_image", short(cards(*empty) + more + blocks(bytes(22))))
    table = cards("XTENSION= 'BINTABLE'", "BITPIX  =                    8", "NAXIS   =                    1",
                  "NAXIS1  =                    8", "PCOUNT  =                    0", "GCOUNT  =                    1",
                  "TFIELDS =                    1", "TTYPE1  = 'COMPRESSED_DATA'", "TFORM1  = '1PB(4)'",
                  "ZIMAGE  =                    T", "ZBITPIX =                   16", "ZNAXIS  =                    2",
                  "ZNAXIS1 =                    2", "ZNAXIS2 =                    1", "ZCMPTYPE= 'GZIP_1'")
    put("images", "one_axis_table.fits", cards(*empty) + table + blocks(bytes(8)))
    put("images", "cut.fits", scaled[:3000])
    put("images", "whole.fits", scaled)
    rng = np.random.default_rng(1)
    for kind in "RICE_1", "GZIP_1", "GZIP_2", "NOCOMPRESS":
        for name, data in ("i16", rng.integers(0, 99, (5, 7)).astype("int16")), \
                          ("u8", rng.integers(0, 99, (5, 7)).astype("uint8")), \
                          ("f32", rng.normal(100, 5, (5, 7)).astype("float32")):
            if kind == "NOCOMPRESS" and name == "f32":
                continue
            dither = 2 if kind == "GZIP_2" else 1
            hdu = fits.CompImageHDU(data, compression_type=kind, tile_shape=(2, 7), quantize_method=dither,
                                    dither_seed=7)
            if name == "u8" and kind != "RICE_1":
                continue
            put("images", f"{kind.lower()}_{name}", short(fits_bytes([fits.PrimaryHDU(), hdu])))


def tables():
    def table(*columns, name="T", **more):
        hdu = fits.BinTableHDU.from_columns([fits.Column(**c) for c in columns], name=name)
        data = fits_bytes([fits.PrimaryHDU(), hdu])
        extra = b"".join(b"%-8s= %20s\n" % (k.encode(), v.encode()) for k, v in more.items())
        return short(data).replace(b"EXTNAME", extra + b"EXTNAME")

    put("tables", "numbers", table(*[dict(name=f"C_{f}", format=f, array=np.arange(3), unit="pix") for f in "BIJKED"]))
    put("tables", "more", table(
        dict(name="TEXT", format="5A", array=["a", "it's", ""]), dict(name="L", format="L", array=[True, False, True]),
        dict(name="X", format="9X", array=np.ones((3, 9), bool)), dict(name="V", format="3E", array=np.ones((3, 3))),
        dict(name="C", format="C", array=[1j, 2, 3]), dict(name="M", format="M", array=[1j, 2, 3]),
        dict(name="P", format="PJ()", array=np.array([[1], [1, 2], []], object))))
    ones = np.arange(3)
    put("tables", "scaled", table(*[dict(name=f"S{i}", format=f, array=ones) for i, f in enumerate("IIJJBKE")],
                                  TSCAL1="0.5", TZERO1="1", TZERO2="32768", TZERO3="2147483648", TNULL4="1",
                                  TZERO5="-128", TSCAL6="1E300", TSCAL7="-2.5"))
    put("tables", "substrings", table(dict(name="R", format="6A", array=["abcdef"] * 2)).replace(b"'6A", b"'6A2"))
    put("tables", "twice", table(dict(name="R", format="5A", array=["abcde"] * 2)).replace(
        b"TFORM1  = '5A", b"TFORM1  = '5A      '\nTFORM1  = '9A"))
    names = ["X_IMAGE", "Y_IMAGE", "XMIN_IMAGE", "YMIN_IMAGE", "XMAX_IMAGE", "YMAX_IMAGE", "NSTARS", "SCORE",
             "P1", "P2", "P3", "P4", "P5", "FLAGS"]
    put("tables", "blends", table(*[dict(name=n, format="J" if n in ("NSTARS", "FLAGS") else "D", array=[1, 2])
                                    for n in names], name="BLENDS"))
    put("tables", "no_rows", table(dict(name="A", format="D", array=[])))
    hdu = fits.BinTableHDU.from_columns([fits.Column(name="A", format="D", array=[1.5])])
    put("tables", "whole.fits", fits_bytes([fits.PrimaryHDU(), hdu]))


def wcs():
    base = ["CTYPE1  = 'RA---TAN'", "CTYPE2  = 'DEC--TAN'", "CRPIX1  = 1024.5", "CRPIX2  = 1000.25", "CRVAL1  = 150.1",
            "CRVAL2  = -40.2", "CD1_1   = -7.1E-05", "CD1_2   = 1.2E-06", "CD2_1   = 1.1E-06", "CD2_2   = 7.2E-05"]
    sip = ["A_ORDER = 3", "B_ORDER = 3", "A_2_0   = 2E-06", "A_1_1   = -3E-06", "A_0_3   = 1E-10", "B_0_2   = 4E-06",
           "B_2_1   = -2E-10", "AP_ORDER= 2", "BP_ORDER= 2", "AP_1_0  = 1E-5", "BP_0_1  = 1E-5"]
    pv = ["PV1_0   = 1E-4", "PV1_1   = 1.01", "PV1_2   = 2E-3", "PV1_4   = 3E-3", "PV1_7   = -0.02", "PV2_0   = -2E-4",
          "PV2_1   = 0.99", "PV2_5   = 4E-3", "PV2_10  = 0.03"]
    old = ["CDELT1  = -1E-3", "CDELT2  = 1E-3", "CROTA2  = 30."]
    pc = ["PC1_1   = -0.98", "PC1_2   = 0.17", "PC2_1   = 0.16", "PC2_2   = 0.99", "CDELT1  = 7.2E-05",
          "CDELT2  = 7.1E-05"]
    both = lambda a, b: [f"CTYPE1  = '{a}'", f"CTYPE2  = '{b}'"]
    for name, lines in {
            "tan": base, "sip": both("RA---TAN-SIP", "DEC--TAN-SIP") + base[2:] + sip, "sip_silent": base + sip,
            "tpv": both("RA---TPV", "DEC--TPV") + base[2:] + pv, "scamp": base + pv, "sip_pv": base + sip + pv,
            "crota": base[:6] + old, "pc": base[:6] + pc,
            "galactic": both("GLON-CAR", "GLAT-CAR") + base[2:6] + old, "swapped": both("DEC--SIN", "RA---SIN") +
            base[2:], "zpn": both("RA---ZPN", "DEC--ZPN") + base[2:] + ["PV2_1   = 1.0", "PV2_3   = 42.0"],
            "poles": base + ["LONPOLE = 180.0", "LATPOLE = 90.", "EQUINOX = 1950.0", "RADESYS = 'FK4'"],
            "units": base + ["CUNIT1  = 'arcsec'", "CUNIT2  = 'deg'"],
            "conic": both("RA---COE", "DEC--COE") + base[2:] + ["PV2_1   = -25.0", "PV2_2   = 25.0"],
            "cube": both("RA---TSC", "DEC--TSC") + base[2:], "healpix": both("RA---HPX", "DEC--HPX") + base[2:],
            "bonne": both("RA---BON", "DEC--BON") + base[2:] + ["PV2_1   = 45"],
            "half_defined": both("RA---TPV", "DEC--TPV") + base[2:6] + ["PV2_10  = 0.03"],
            "aitoff": both("RA---AIT", "DEC--AIT") + base[2:]}.items():
        put("wcs", name, "\n".join(lines) + "\n")


def safetensors():
    def file(header, data=b""):
        text = header if isinstance(header, bytes) else json.dumps(header, separators=(",", ":")).encode()
        return struct.pack("<Q", len(text)) + text + data

    sizes = dict(BOOL=1, U8=1, I8=1, U16=2, I16=2, F16=2, BF16=2, U32=4, I32=4, F32=4, U64=8, I64=8, F64=8)
    at, header = 0, {"__metadata__": {"schema": "1", "config": "a = 1\n", "é": "\"\\"}}
    for name, size in sizes.items():
        header["t." + name] = {"dtype": name, "shape": [2], "data_offsets": [at, at + 2 * size]}
        at += 2 * size
    put("safetensors", "types", file(header, bytes(range(at))))
    one = {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}
    put("safetensors", "one", file({"a": one}, bytes(4)))
    put("safetensors", "scalar_and_none", file({"a": {"dtype": "U8", "shape": [], "data_offsets": [0, 1]},
                                                "b": {"dtype": "F64", "shape": [0, 7], "data_offsets": [1, 1]}}, b"x"))
    put("safetensors", "empty", file({}))
    put("safetensors", "gap", file({"a": one, "b": dict(one, data_offsets=[5, 9])}, bytes(9)))
    put("safetensors", "huge", file({"a": dict(one, shape=[2**32, 2**32, 2**32])}, bytes(4)))
    put("safetensors", "not_json", file(b"{\"a\":[[[["))


def toml():
    put("toml", "kinds", 'a = 1\nb = -2.5e-3\nc = true\nd = "t\\u00e9\\n\\""\ne = [1, 2]\nf = [1.5, 2]\n'
        "g = ['x', \"y\"]\nh = 2001-02-03T04:05:06Z\ni = inf\nj = nan\nk = 0xff\nl = 1_000\nm = [[1], ['a']]\n"
        'n = """\nlong\\\n  text"""\no = {p = 1, q.r = "s"}\n')
    put("toml", "sections", "[exposure]\nexptime = 150.0 # s\nrate = false\n[psf]\nkind = \"optical\"\n"
        "aberrations = [19.4, -14.5]\n[curriculum.easy]\nshare = 2\nset = [\"mock.mix=P1\"]\n"
        "draw = [\"exposure.sky=0.1..0.4\"]\nvariants = 3\n[[list]]\na = 1\n[[list]]\na = 2\n")
    put("toml", "set", "a.b=c\ntrain.rate = 1e-3\npsf.kind=airy\nx=[1,2]\nfile=/some/where.fits\n")
    put("toml", "depth", "a.b.c.d.e.f.g = {a.b = {c = [{d = 1}]}}\n'quoted key'.b = 1\n")
    put("toml", "letters", "\u041f = 1\n")
    put("toml", "more_letters", "a.b = \u0451\n\uff01\u1681 = 2\n")
    put("toml", "broken", "a = 1\n[\nb = = 2\n[a]\n")


def settings():
    tools = Path(__file__).parents[2] / "tools"
    for path in sorted(tools.glob("architectures/*.toml")) + [tools / "presets" / "csst-g.toml"]:
        lines = [line.split("#")[0].rstrip() for line in path.read_text().splitlines()]
        put("settings", path.stem, "\n".join(line for line in lines if line) + "\n")
    put("settings", "anchors", "[network]\nstem_stride = [1]\nstem_pool = false\nblocks = [1, 1, 1, 1, 1]\n"
        "width = [8, 8, 8, 8, 8]\nstride = [1, 1, 1, 1, 1]\npyramid_first = 0\npyramid_levels = 5\npyramid_extra = 0\n"
        f"anchor_size = {[8] * 20}\n[procedure]\ncore = 4096\nhalo = 1024\n")


def catalogues():
    put("catalogues", "ascii_head.cat", "#   1 NUMBER    Running object number\n#   2 FLUX_AUTO  Flux    [count]\n"
        "#   3 X_IMAGE   Object position  [pixel]\n#   4 Y_IMAGE   Object position  [pixel]\n#   5 VIGNET(3,3)\n"
        "         1     5310.2   10.2500     7.5000 1 2\n         2      310.5   +20.0  1e3 3 4\n")
    put("catalogues", "boxes.cat", "# 1 X_IMAGE a\n# 2 Y_IMAGE b\n# 3 XMIN_IMAGE\n# 3 XMIN_IMAGE c\n# 4 YMIN_IMAGE d\n"
        "# 5 XMAX_IMAGE e\n# 6 YMAX_IMAGE f\n# 7 MAG_AUTO g [mag]\n 3 4 1 2 5 6 21.5\n")
    put("catalogues", "photutils.ecsv", "# %ECSV 1.0\n# ---\n# datatype:\n# - {name: id, datatype: int64}\n"
        "# - {name: x_fit, unit: pix, datatype: float64, description: 'long, long\n#     it''s folded'}\n"
        "# - {name: y_fit, datatype: float32, meta: !!omap [{ucd: pos.y}]}\n# - {name: ok, datatype: bool}\n"
        "# - {name: \"group id\", datatype: string, meta: {ucd: \"meta.id\"}}\n# meta: !!omap\n# - {OBS: 12}\n"
        "# - {EXTNAME: \"A\\u00e9\\n\"}\n# - {F: 1.0e-5, G: true, H: null, HISTORY: ['a', \"b\"]}\n"
        "# - __serialized_columns__: {}\n# schema: astropy-2.0\n"
        "id x_fit y_fit ok \"group id\"\n1 4.0 5.5 True \"a \"\"b\"\"\"\n2 6.25 0 False c\n3 nan \"\" \"\" \"\"\n")
    put("catalogues", "commas.ecsv", "# %ECSV 1.0\n# ---\n# delimiter: ','\n# datatype:\n"
        "# - {name: x, datatype: int32}\n# - {name: y, datatype: float64}\n# schema: astropy-2.0\nx,y\n1,2\n")
    put("catalogues", "plain.csv", "\"name, or so\",x,y,b,nstars,mag\r\nA,1,2,30,3,20\r\n\"B,\"\"C\"\"\",3,4,,9,99\r\n")
    put("catalogues", "sky.tsv", "RA\tDEC\tmag\tmagerr\n150.1\t-40.2\t20\t0.1\n9007199254740993\t90\tinf\tnan\n")
    put("catalogues", "semicolons.csv", "x;y\n1;2\n# a comment\n\n3;4\n")
    put("catalogues", "list.txt", "# images\na.fits\n  b/c.fits.gz[SCI,1]\r\n\n\"d.fits\"\n")
    put("catalogues", "every_image.txt", "a.fits[*]\n")
    put("catalogues", "terminal.csv", "a\x1b[2J,b\x7f\n1,2\n")
    put("catalogues", "no_names.csv", "\"\",\"\"\n1,2\n")
    put("catalogues", "long_name.csv", "x" * 69 + ",y\n1,2\n")
    put("catalogues", "columns.txt", "x=XWIN,y=YWIN,score=SNR\n")
    columns = [fits.Column(name=n, format="D", unit="pix", array=[1.5, 2]) for n in ("X_IMAGE", "Y_IMAGE", "MAG")]
    columns.append(fits.Column(name="NAME", format="3A", array=["a", "b\"c"]))
    sources = fits.BinTableHDU.from_columns(columns, name="SOURCES")
    sources.header["HISTORY"] = "made"
    sources.header["HIERARCH ESO DET"] = 1.5
    sources.header["MAGSYS"] = ("AB", "system")
    whole = short(fits_bytes([fits.PrimaryHDU(), sources]))
    put("catalogues", "sources", whole)
    put("catalogues", "lower_case", whole.replace(b"MAGSYS  =", b"MagSys  ="))
    put("catalogues", "no_ttype", whole.replace(b"TTYPE1  =", b"TITLE1  ="))
    ldac = fits.BinTableHDU.from_columns([fits.Column(name="XWIN_IMAGE", format="E", array=[3.5]),
                                          fits.Column(name="YWIN_IMAGE", format="E", array=[1])], name="LDAC_OBJECTS")
    put("catalogues", "ldac", short(fits_bytes([fits.PrimaryHDU(), ldac])))


for make in images, psfs, tables, wcs, safetensors, toml, settings, catalogues:
    make()
print(sum(f.stat().st_size for f in root.rglob("*") if f.is_file()), "bytes in", root)
