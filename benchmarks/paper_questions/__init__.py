"""The questions that the papers ask or leave open, answered in small: the page docs/paper_questions.md."""
