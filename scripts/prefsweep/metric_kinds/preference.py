"""Which of a held-out pair's two answers a model finds likelier, and by how much."""

from prefsweep.metric import Kind
from prefsweep.records.measure import PairScore

PREFERENCE = Kind[PairScore, float](needs_pairs=True)


@PREFERENCE.metric("share", "higher", "acc of lm-eval's multiple_choice", rate=True)
def preference_accuracy(pair: PairScore) -> float:
    """The held-out chosen answer is likelier than the rejected one; a tie counts one half."""
    return _wins(pair.chosen_log_prob, pair.rejected_log_prob)


@PREFERENCE.metric("share", "higher", "acc_norm of lm-eval's multiple_choice", rate=True)
def preference_accuracy_normalised(pair: PairScore) -> float:
    """The held-out chosen answer is likelier per character, so that the shorter answer has no advantage."""
    return _wins(_chosen_mean(pair), _rejected_mean(pair))


@PREFERENCE.metric("nats", "higher", "the margin DPO and CPO train (arXiv 2305.18290)")
def preference_margin(pair: PairScore) -> float:
    """Log-probability of the chosen answer − of the rejected one, summed over the answer."""
    return pair.chosen_log_prob - pair.rejected_log_prob


@PREFERENCE.metric(
    "nats per character",
    "higher",
    "the length-normalised margin SimPO trains (arXiv 2405.14734), per character",
)
def preference_margin_normalised(pair: PairScore) -> float:
    """Log-probability per character of the chosen answer minus that of the rejected one."""
    return _chosen_mean(pair) - _rejected_mean(pair)


@PREFERENCE.metric("nats", "neutral", "lm-eval's loglikelihood")
def chosen_log_prob(pair: PairScore) -> float:
    """Log-probability of the held-out chosen answer; its difference to the base is its drift."""
    return pair.chosen_log_prob


@PREFERENCE.metric("nats", "neutral", "lm-eval's loglikelihood")
def rejected_log_prob(pair: PairScore) -> float:
    """Log-probability of the held-out rejected answer; its difference to the base is its drift."""
    return pair.rejected_log_prob


@PREFERENCE.metric("nats per character", "lower", "cross-entropy; × log2(e) gives bits per character")
def chosen_nats_per_character(pair: PairScore) -> float:
    """Negative log-probability of the chosen answer / characters: surprise at good answers."""
    return -_chosen_mean(pair)


def _chosen_mean(pair: PairScore) -> float:
    return pair.chosen_log_prob / max(pair.chosen_characters, 1)


def _rejected_mean(pair: PairScore) -> float:
    return pair.rejected_log_prob / max(pair.rejected_characters, 1)


def _wins(chosen: float, rejected: float) -> float:
    return 0.5 if chosen == rejected else float(chosen > rejected)
