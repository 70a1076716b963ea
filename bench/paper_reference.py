"""What the paper says (Yan et al., arXiv:2603.00473), figure by figure, and nothing else: its numbers, where in it, and what they mean."""

CAVEAT = "the paper's fields, preset and slope aren't public"
CLASSES = ("1", "2", "3", "4", "5+")

# Section 3.3 and Figure 6: right / detections called so. The cells of its matrix are in the picture alone.
PRECISION = {"1": (18601, 19325), "2": (8210, 9196), "3": (5672, 8112), "4": (3838, 7617), "5+": (5348, 7113)}
MISSED, FALSE_ALARMS, WITHIN_ONE = 0.0, (810, 51363), (9060, 9694)

FIGURE_7 = ("Average precisions are in the picture alone. The text: for blends other than of 4 stars, precision stays above 0.6 while "
            "recall is below 0.8.")

FIGURE_8 = "Boxes with classes, SExtractor's and Photutils' detections over a crowded and a sparse part of the cluster."

# Section 4.1 and Figure 9, completeness by star (a star is detected if it lies in a box: section 5). The text's two faint limits,
# 25.5 mag in section 4.1 and 25 in section 6, contradict each other; at mag 25 (i band): the abstract.
FIGURE_9 = {
    "ngc2298-core": {"bright, < 25.5 mag": {"starblend": 0.8692, "dao": 0.7454, "sextractor": "below 0.40 on average"},
                     "faint, > 25.5 mag": {"starblend": 0.438, "dao": 0.2937, "sextractor": None},
                     "at mag 25": {"starblend": 0.82, "dao": 0.60, "sextractor": 0.20}},
    "ngc2298-outskirts": {"bright, < 25.5 mag": {"starblend": "0.99 (to 25.5)", "dao": "0.99 (to 25)", "sextractor": "0.99 (to 24.5)"},
                          "faint, > 25.5 mag": {"starblend": None, "dao": None, "sextractor": None},
                          "at mag 25": {"starblend": 0.95, "dao": 0.88, "sextractor": 0.59}},
}

# Section 4.2, Figure 10: M31, three class mixes of the training set. Spurious of all detections; right / called so.
FIGURE_10 = {"P1": {"spurious": (2368, 11156), "1": (3138, 7456), "2": (469, 2872), "3": (123, 649)},
             "P2": {"spurious": (1998, 10093), "1": (5456, 6784), "2": (488, 2577), "3": None},
             "P3": {"spurious": (2461, 11246), "1": (6226, 7746), "2": (403, 2837), "3": None}}

# Figure 11: truth 2, 3, 4, 5+ against found 1, 2, 3, 4, 5+, by the flux ratio of the unit's stars.
FIGURE_11 = {"flux ratio <= 5": ((1649, 347, 162, 93, 219), (190, 84, 38, 26, 84), (4, 13, 10, 5, 27), (1, 0, 0, 1, 16)),
             "flux ratio > 5": ((194, 56, 38, 25, 53), (43, 26, 13, 7, 37), (1, 2, 3, 4, 21), (0, 1, 1, 1, 4))}

# Section 4.2 and Figure 12: completeness in two bins of F814W.
FIGURE_12 = {"26.0-26.5": {"starblend": 0.9346, "dao": 0.8424, "sextractor": 0.7241},
             "27.5-28.0": {"starblend": 0.26, "dao": 0.078, "sextractor": 0.0375}}
