"""The plots of the benchmark's page, drawn without a plotting library."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from sonoquality.agreement import logistic_fit
from sonoquality.arrays import Floats
from sonoquality.results import rows as csvs
from sonoquality.results.panels import (
    COLOURS,
    GREY,
    INNER,
    LIGHT,
    PANEL,
    Pen,
    corner_of,
    draw_frame,
    new_canvas,
    point_at,
    put_title,
)
from sonoquality.results.qbench_rows import (
    CONFUSION_CSV,
    GAPS_CSV,
    LANGUAGE,
    SETS_CSV,
    Seen,
    Step,
    Table,
    called,
    read,
    scores_csv,
)

CELL = (46, 38)  #: width and height of a cell of a confusion matrix; a word fits below
GRADES = ("low", "medium", "high")
N_BEST = 4  #: of each data set, beside those always drawn
ALWAYS = ("nrq", "medqm")
NEVER = ("constant",)
JITTER = 0.16  #: grades, to either side

Player = tuple[str, int]


def confusions(folder: Path) -> Image.Image:
    """Draw how often each grade was called what, as shares of its row, for the best of each set."""
    panels = []
    for row in csvs.read(folder / SETS_CSV):
        table = Table(folder, row["bench"])
        seen = [each for each in read(Seen, folder / CONFUSION_CSV) if each.bench == row["bench"]]
        panels += [
            (row["bench"], player, table.way(player), seen)
            for player in _chosen(table)
            if table.way(player)
        ]
    canvas, pen = new_canvas(len(panels))
    for place, (bench, player, way, seen) in enumerate(panels):
        mark = "*" if way == "clustered" else ""
        own = [x for x in seen if (x.entrant, x.level, x.way) == (*player, way)]
        put_title(pen, place, f"{bench}: {called(player)}", f"{way}{mark}; rows are true")
        _matrix(pen, corner_of(place), own)
    return canvas


def _matrix(pen: Pen, corner: tuple[int, int], cells: Sequence[Seen]) -> None:
    counts = {(cell.truth, cell.said): cell.n for cell in cells}
    width, height = CELL
    below = corner[1] + len(GRADES) * height
    for line, truth in enumerate(reversed(GRADES)):
        total = max(1, sum(n for (own, _), n in counts.items() if own == truth))
        top = corner[1] + line * height
        pen.text((corner[0] - 4, top + height // 2), truth, fill="black", anchor="rm")
        for column, said in enumerate((*reversed(GRADES), "invalid")):
            n = counts.get((truth, said), 0)
            left = corner[0] + column * width
            dark = round(255 * (1 - n / total))
            pen.rectangle((left, top, left + width - 2, top + height - 2), fill=(dark, dark, 255))
            middle = left + width // 2 - 1
            ink = "white" if n > total / 2 else "black"
            pen.text((middle, top + height // 2), str(n), fill=ink, anchor="mm")
            if line == 0:
                pen.text((middle, below), said, fill=GREY, anchor="ma")


def scatter(folder: Path) -> Image.Image:
    """Draw scores against what they are held against, with the logistic curve."""
    panels = []
    for row in csvs.read(folder / SETS_CSV):
        lines = csvs.read(folder / scores_csv(row["bench"]))
        table = Table(folder, row["bench"])
        for player in _chosen(table):
            known = [(float(x["target"]), float(x[player[0]])) for x in lines]
            panels.append((row, table, player, np.array(known).reshape(-1, 2)))
    canvas, pen = new_canvas(len(panels))
    for place, (row, table, player, points) in enumerate(panels):
        rank = table.cell(player, "scoring", "overall", "SRCC")
        put_title(
            pen, place, f"{row['bench']}: {called(player)}", f"SRCC {rank}; up: {row['target']}"
        )
        _cloud(pen, corner_of(place), points, spread=row["target"] == "grade")
    return canvas


def _cloud(pen: Pen, corner: tuple[int, int], points: Floats, *, spread: bool) -> None:
    """Draw points (n, 2) of target and score; grades are spread, or they would hide each other."""
    points = points[np.isfinite(points).all(axis=1)]
    draw_frame(pen, corner)
    if len(points) < 5 or np.ptp(points[:, 1]) == 0:
        return
    rank = np.argsort(np.argsort(points[:, 1], kind="stable"), kind="stable")
    across = rank / (len(rank) - 1)
    moved = np.random.default_rng(0).uniform(-JITTER, JITTER, len(points)) if spread else 0.0
    low, high = points[:, 0].min() - 0.3 * spread, points[:, 0].max() + 0.3 * spread

    def down(value: Floats) -> Floats:
        return np.asarray(1 - (value - low) / max(high - low, 1e-9), np.float64)

    for x, y in zip(across, down(points[:, 0] + moved), strict=True):
        at = point_at(corner, float(x), float(y))
        pen.ellipse((at[0] - 1, at[1] - 1, at[0] + 1, at[1] + 1), fill=COLOURS[0])
    order = np.argsort(across)
    fitted = down(logistic_fit(points[:, 1], points[:, 0]))[order]
    line = [
        point_at(corner, float(x), float(y)) for x, y in zip(across[order], fitted, strict=True)
    ]
    pen.line(line, fill=COLOURS[1], width=2)
    pen.text((corner[0], corner[1] + INNER[1] + 3), "score, by rank, rising", fill=GREY)


def gaps(folder: Path) -> Image.Image:
    """Draw how often the better one of a pair wins, by how far the two are apart."""
    panels = []
    for row in csvs.read(folder / SETS_CSV):
        steps = [step for step in read(Step, folder / GAPS_CSV) if step.bench == row["bench"]]
        chosen = _chosen(Table(folder, row["bench"]))
        panels += [
            (f"{row['bench']}: {kind}", [step for step in steps if step.kind == kind], chosen)
            for kind in dict.fromkeys(step.kind for step in steps)
        ]
    height = PANEL[1] + 12 * max((len(chosen) for *_, chosen in panels), default=0)
    canvas, pen = new_canvas(len(panels), height)
    for place, (title, steps, chosen) in enumerate(panels):
        put_title(pen, place, title, "pairs right by gap; line at chance", height)
        _lines(pen, corner_of(place, height), steps, chosen)
    return canvas


def _lines(
    pen: Pen, corner: tuple[int, int], steps: Sequence[Step], chosen: Sequence[Player]
) -> None:
    found = sorted({step.gap for step in steps})
    draw_frame(pen, corner)
    middle = point_at(corner, 0, 0.5)[1]
    pen.line((corner[0], middle, corner[0] + INNER[0], middle), fill=LIGHT)
    for text, height in (("1", 0.0), ("0.5", 0.5), ("0", 1.0)):
        pen.text((corner[0] - 24, point_at(corner, 0, height)[1] - 6), text, fill=GREY)
    for number, player in enumerate(chosen):
        own = {x.gap: x.accuracy for x in steps if (x.entrant, x.level) == player}
        points = [
            point_at(corner, (at + 0.5) / len(found), 1 - own[gap])
            for at, gap in enumerate(found)
            if gap in own
        ]
        colour = COLOURS[number % len(COLOURS)]
        for x, y in points:
            pen.ellipse((x - 2, y - 2, x + 2, y + 2), fill=colour)
        if len(points) > 1:
            pen.line(points, fill=colour, width=2)
        below = corner[1] + INNER[1] + 16 + 12 * number
        pen.text((corner[0], below), called(player), fill=colour)
    for at, gap in enumerate(found):
        where = point_at(corner, (at + 0.5) / len(found), 1)
        pen.text((where[0] - 2, where[1] + 2), str(gap), fill=GREY)


def _chosen(table: Table) -> list[Player]:
    """Return a set's best measures, ours and language models, each at its first level."""
    first: dict[str, Player] = {}
    for player in table.players():
        if player[0] not in first or player[1] < first[player[0]][1]:
            first[player[0]] = player
    wanted = [
        name
        for name in first
        if name not in NEVER and (name in ALWAYS or table.kinds[name] == LANGUAGE)
    ]
    names = [name for name in first if name not in (*wanted, *NEVER)][:N_BEST] + wanted
    return [first[name] for name in names]
