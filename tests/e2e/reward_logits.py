"""What transformers makes of conversations, by a reward model: `python reward_logits.py MODEL CONVERSATIONS.json`.

Prints a line `logit <number>` for each, rendered by the model's own template and read one at a time.
"""

import json
import sys
from pathlib import Path

import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

folder, file = sys.argv[1:]
tokenizer = AutoTokenizer.from_pretrained(folder)
model = AutoModelForSequenceClassification.from_pretrained(folder, dtype=torch.float32).eval()
for turns in json.loads(Path(file).read_text(encoding="utf-8")):
    tokens = tokenizer.apply_chat_template(turns, return_tensors="pt", return_dict=True)
    with torch.inference_mode():
        print("logit", model(**tokens).logits.item())
