"""Labelled data sets of many layouts behind one protocol (``views.LabelledViews``); numpy and OpenCV only."""
