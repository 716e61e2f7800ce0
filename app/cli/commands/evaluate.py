"""`parley eval`: how good answers are, and the retrieval behind them."""

import importlib
import json
import signal
from pathlib import Path

import click


@click.group()
def evaluate() -> None:
    """Measure retrieval and answers on questions whose right answers are known."""


@evaluate.command()
@click.option(
    "--corpus",
    required=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder of documents: text, Markdown, HTML, PDF, DOCX, CSV.",
)
@click.option(
    "--questions",
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help='Lines of {"question": …, "source": …}; source null where nothing answers.',
)
@click.option(
    "--json", "as_json", is_flag=True, help="Print the figures as one JSON object, the last line."
)
def retrieval(corpus: Path, questions: Path, *, as_json: bool) -> int:
    """Measure how well questions find their documents.

    Reads the folder as an upload is read, and asks each question as a customer's is asked: in
    another language than the documents' it is translated by the model first. Starts PostgreSQL,
    Redis and the simulator on free ports, in a directory below this one, and removes it.
    """
    # A stop from outside must also take the servers and their directory away.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    # By name: the command line stands below the benchmarks.
    quality = importlib.import_module("benchmarks.retrieval_quality")
    told = quality.evaluate(corpus, questions)
    for line in quality.lines(told):
        click.echo(line)
    if as_json:
        names = ("recall_at_5", "mrr", "auc_answerable", "p95_ms", "questions")
        click.echo(json.dumps({name: told[name] for name in names}))
    return 0


@evaluate.command(short_help="Ask golden questions and judge the answers.")
@click.option(
    "--sample",
    "samples",
    multiple=True,
    help="A set that comes with the product; may be repeated. Default: all of them.",
)
@click.option(
    "--questions",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help='A set of your own: {"golden": [{ask, expect, must_not, hand_over, language}]}.',
)
@click.option("--tenant", help="Ask this business's assistant, as it is live now.")
@click.option(
    "--json", "as_json", is_flag=True, help="Print the scores as one JSON object, the last line."
)
def answers(
    samples: tuple[str, ...], questions: Path | None, tenant: str | None, *, as_json: bool
) -> int:
    """Ask golden questions and judge the answers: facts, taboos, hand-overs.

    Asks the model of OPENAI_BASE_URL; nothing is sent to customers or charged. With --tenant the
    questions go to that business's live version and knowledge. Exit code 1 when some fail.
    """
    golden = importlib.import_module("app.cli.golden")
    if tenant and questions is None:
        raise click.UsageError(
            "--tenant needs --questions: the samples are about other businesses."
        )
    told = golden.run(samples, questions, tenant)
    for line in golden.lines(told):
        click.echo(line)
    if as_json:
        click.echo(json.dumps(golden.figures(told)))
    return 0 if all(not each.faults for judged in told.values() for each in judged) else 1
