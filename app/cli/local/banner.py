"""What `parley up` prints when everything is ready."""

from app.cli.local.stack import LocalStack


def banner(stack: LocalStack) -> str:
    """Addresses, the demo business and where the logs are, framed."""
    simulator = stack.addresses.simulator_url
    rows = [
        ("Phone", f"{simulator}/", "write as a customer"),
        ("Mailbox", f"{simulator}/mail", "what Parley sends by mail"),
        ("Dashboard", f"{stack.addresses.api_url}/", "what a business sees"),
        *_logins(stack),
        ("API health", f"{stack.addresses.api_url}/api/health", ""),
        ("Business", stack.tenant.name, f"tenant {stack.tenant.tenant_id}"),
        ("Model", _model(stack), ""),
        ("Logs", str(stack.data_dir / "logs"), ""),
        ("Details", str(stack.data_dir / "run.json"), ""),
    ]
    label_width = max(len(label) for label, _, _ in rows)
    value_width = max(len(value) for _, value, note in rows if note)
    lines = [
        f"  {label:<{label_width}}  {value:<{value_width if note else 0}}  {note}".rstrip()
        for label, value, note in rows
    ]
    rule = "─" * max(len(line) for line in ["  Parley is running", *lines])
    return "\n".join(["", rule, "  Parley is running", rule, *lines, rule, ""])


def _logins(stack: LocalStack) -> list[tuple[str, str, str]]:
    return [
        (f"… as {role}", email, f"password {password}")
        for role, (email, password) in stack.tenant.logins.items()
    ]


def _model(stack: LocalStack) -> str:
    if stack.environment.get("OPENAI_API_KEY") == "simulator":
        return "the simulator's demo model (set OPENAI_API_KEY for a real one)"
    return stack.environment.get("OPENAI_BASE_URL") or "OpenAI"
