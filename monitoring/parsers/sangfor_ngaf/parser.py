"""Sangfor NGAF: `key:value, key:value` in English or in Chinese."""

from __future__ import annotations

import re

from monitoring.event import Value
from monitoring.parsers import Line, Parsed, put

_PAIR = re.compile(r"(?:^|[,，]\s?|: )([A-Za-z\u4e00-\u9fff][A-Za-z \u4e00-\u9fff/]{0,40}?)[:：]\s?([^,，]{0,2048})")
_KEYS = {
    "log type": "canh.sangfor.log_type", "日志类型": "canh.sangfor.log_type", "policy name": "rule.name",
    "策略名称": "rule.name",
    "user": "user.name", "user name": "user.name",
    "用户": "user.name", "用户名": "user.name", "source ip": "source.ip",
    "src ip": "source.ip", "源ip": "source.ip", "源ip地址": "source.ip", "source port": "source.port",
    "src port": "source.port",
    "源端口": "source.port", "destination ip": "destination.ip",
    "dst ip": "destination.ip", "目的ip": "destination.ip",
    "目的ip地址": "destination.ip", "destination port": "destination.port", "dst port": "destination.port",
    "目的端口": "destination.port", "application name": "network.application", "应用名称": "network.application",
    "application category": "rule.category",
    "应用类型": "rule.category", "system action": "action", "系统动作": "action",
    "action": "action", "动作": "action",
    "protocol": "network.transport", "协议": "network.transport", "url": "url.full",
    "attack type": "rule.category", "攻击类型": "rule.category", "threat type": "rule.category",
    "threat level": "canh.severity",
    "severity": "canh.severity", "严重级别": "canh.severity", "description": "message", "描述": "message",
    "rule id": "rule.id",
    "规则id": "rule.id", "host ip": "source.ip", "ip address": "source.ip", "主机ip": "source.ip", "ip": "source.ip",
    "operation": "process.command_line", "操作对象": "canh.config.object", "操作类型": "process.command_line",
    "virus name": "canh.threat.name", "病毒名": "canh.threat.name",
    "attack name": "rule.name", "漏洞名称": "rule.name",
}  # fmt: skip
_DENIED = re.compile(r"den|block|drop|reject|拒绝|阻断|丢弃|拦截", re.IGNORECASE)
_ALLOWED = re.compile(r"allow|permit|accept|pass|log|允许|放行|记录", re.IGNORECASE)


def parse(line: Line) -> Parsed | None:
    fields: dict[str, Value] = {}
    for key, value in _PAIR.findall(line.text[:8192]):
        name = _KEYS.get(key.strip().lower())
        if name is not None and name not in fields:
            put(fields, name, value)
    action = str(fields.pop("action", ""))
    kind = str(fields.get("canh.sangfor.log_type", "")).lower()
    if not kind and "source.ip" not in fields:
        return None
    outcome = "failure" if _DENIED.search(action) else "success" if _ALLOWED.search(action) else ""
    if outcome:
        fields["event.outcome"] = outcome
    verdict = "denied" if outcome == "failure" else "allowed"
    if any(word in kind for word in ("ips", "attack", "waf", "botnet", "漏洞", "攻击", "僵尸", "dos", "virus", "病毒")):
        fields |= {"event.kind": "alert", "event.category": ("intrusion_detection", "network"),
                   "event.type": ("info",), "event.action": "attack-detected"}  # fmt: skip
    elif any(word in kind for word in ("operation", "系统操作", "admin", "管理")):
        fields |= {"event.category": ("configuration",), "event.type": ("change",), "event.action": "config-changed"}
    elif "login" in kind or "认证" in kind or "user" in kind:
        fields |= {"event.category": ("authentication",), "event.type": ("start",), "event.action": "login"}
    else:
        fields |= {
            "event.category": ("network",),
            "event.type": ("connection", verdict) if outcome else ("connection",),
        }
        if outcome:
            fields["event.action"] = f"connection-{verdict}"
    return fields
