#!/usr/bin/env python3
"""Makes the Grafana dashboard of panels.yml: `python3 deploy/grafana/generate.py`. Edit panels.yml, never the JSON; a test compares."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).parent
WIDTH = 24
DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
FIRING = 'ALERTS{alertname=~"Envision.+",alertstate="firing",instance=~"$instance|"}'
PLAIN = {"blue": None}


def laid_out(rows: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """All rows and panels, one below the other, with their ids and places."""
    number, y = 0, 0
    for row in rows:
        number += 1
        yield {**row_of(row["row"]), "id": number, "gridPos": {"h": 1, "w": WIDTH, "x": 0, "y": y}}
        x, y = 0, y + 1
        for panel in row["panels"]:
            number += 1
            if x + panel["width"] > WIDTH:
                x, y = 0, y + row["height"]
            place = {"h": row["height"], "w": panel["width"], "x": x, "y": y}
            yield {**panel_of(panel), "id": number, "gridPos": place}
            x += panel["width"]
        y += row["height"]


def row_of(title: str) -> dict[str, Any]:
    """A row's heading."""
    return {"type": "row", "title": title, "collapsed": False, "panels": []}


def panel_of(panel: dict[str, Any]) -> dict[str, Any]:
    """A panel in Grafana's words."""
    return {
        "type": kind_of(panel),
        "title": panel["title"],
        "description": panel["says"],
        "datasource": DATASOURCE,
        "targets": [
            {
                "refId": chr(ord("A") + n),
                "datasource": DATASOURCE,
                "expr": query["expr"],
                "legendFormat": query["legend"],
            }
            for n, query in enumerate(panel["queries"])
        ],
        "fieldConfig": {"defaults": defaults_of(panel), "overrides": []},
        "options": stat_options(panel) if kind_of(panel) == "stat" else series_options(),
    }


def kind_of(panel: dict[str, Any]) -> str:
    """`stat` for a large number or word, `timeseries` for curves."""
    return str(panel.get("kind", "timeseries"))


def defaults_of(panel: dict[str, Any]) -> dict[str, Any]:
    """Unit, colours, words and lines of a panel."""
    colours = panel.get("colours", PLAIN)
    steps = [{"color": colour, "value": value} for colour, value in colours.items()]
    words = {str(value): {"index": value, "text": word} for value, word in enumerate(panel.get("words", ()))}
    common = {
        "unit": panel["unit"],
        "thresholds": {"mode": "absolute", "steps": steps},
        "mappings": [{"type": "value", "options": words}] if words else [],
    }
    if kind_of(panel) == "stat":
        return {**common, "color": {"mode": "thresholds"}}
    lines = {
        "drawStyle": "line",
        "lineWidth": 1,
        "fillOpacity": 20 if panel.get("stacked") else 5,
        "showPoints": "never",
        "spanNulls": False,
        "stacking": {"mode": "normal" if panel.get("stacked") else "none", "group": "A"},
        "thresholdsStyle": {"mode": "line" if colours is not PLAIN else "off"},
    }
    return {**common, "color": {"mode": "palette-classic"}, "custom": lines}


def stat_options(panel: dict[str, Any]) -> dict[str, Any]:
    """A number or word on a coloured ground; where the colours say nothing, none."""
    return {
        "colorMode": "background" if "colours" in panel else "none",
        "graphMode": "none",
        "justifyMode": "center",
        "orientation": "auto",
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
        "textMode": panel.get("shows", "auto"),
    }


def series_options() -> dict[str, Any]:
    """A legend below, all series in the tooltip."""
    return {
        "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": []},
        "tooltip": {"mode": "multi", "sort": "desc"},
    }


def variables() -> list[dict[str, Any]]:
    """Which Prometheus, and which workers."""
    source = {"name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus", "refresh": 1}
    instance = {
        "name": "instance",
        "label": "Worker",
        "type": "query",
        "datasource": DATASOURCE,
        "query": {"query": "label_values(envision_build_info, instance)", "refId": "instances"},
        "refresh": 1,
        "multi": True,
        "includeAll": True,
        "allValue": ".+",
        "current": {"selected": True, "text": ["All"], "value": ["$__all"]},
        "sort": 1,
    }
    return [source, instance]


def dashboard() -> dict[str, Any]:
    """The whole dashboard."""
    rows = yaml.safe_load((HERE / "panels.yml").read_text(encoding="utf-8"))
    alerts = {"name": "Alerts", "datasource": DATASOURCE, "enable": True, "iconColor": "red", "expr": FIRING}
    return {
        "uid": "envision-worker",
        "title": "envision-worker",
        "description": "Ensono's tickets on their way to the service desk. docs/runbook.md tells what to do.",
        "tags": ["envision-worker", "ensono"],
        "schemaVersion": 39,
        "version": 1,
        "editable": False,
        "graphTooltip": 1,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "timezone": "browser",
        "annotations": {"list": [{**alerts, "titleFormat": "{{alertname}}", "step": "60s"}]},
        "templating": {"list": variables()},
        "links": [],
        "panels": list(laid_out(rows)),
    }


if __name__ == "__main__":
    text = json.dumps(dashboard(), indent=2, ensure_ascii=False) + "\n"
    (HERE / "envision-worker.json").write_text(text, encoding="utf-8")
